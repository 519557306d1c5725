"""`rps models`: the twelve versions, and the model store in order."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from gameplay.commands.opened import opened
from gameplay.commands.settings import pass_settings
from gameplay.config import Settings, read_settings
from gameplay.models.artifacts import ModelCard
from gameplay.models.intervals import wilson
from gameplay.models.registry import MlflowRegistry
from gameplay.serving.overview import Mismatches, Shown, cards, mismatches, overview
from gameplay.serving.sync import Synced, sync
from ledger.vocabulary import ALIASES, FAMILIES, Family
from projections.commands.console import bad, finding, json_option, print_json, print_table, say, share, show
from projections.commands.program import Group

CONFIDENCE = 0.95

_HEADINGS = ("family", "alias", "version", "live", "predictions", "hold-out", "training", "age", "source")

Cards = Mapping[tuple[Family, int], ModelCard]


@click.group(cls=Group, invoke_without_command=True)
@click.option("--by-opponent", is_flag=True, help="Hold-out accuracy against each player, with its interval.")
@json_option
@click.pass_context
def models(context: click.Context, by_opponent: bool, as_json: bool) -> None:
    """Show the versions behind the twelve aliases. As JSON: one object an alias.

    Exit status: 1 when the registry is not as the ledger says.

    Example: rps models --by-opponent
    """
    if context.invoked_subcommand is not None:
        return
    with opened(read_settings(), read_only=True) as core:
        shown = overview(core)
        described = cards(core, shown) if by_opponent else {}
        problems = mismatches(core)
    if as_json:
        for one in shown:
            print_json(_record(one, described.get((one.family, one.version)), problems))
    elif by_opponent:
        for family in FAMILIES:
            _print_opponents(family, shown, described)
    else:
        print_table(
            "The versions behind the aliases; live: since the family's last swap", _HEADINGS, list(_rows(shown))
        )
    if not as_json:
        if problems.unreachable:
            say(f"not compared with the registry: {problems.unreachable}")
        for family, problem in problems.found.items():
            say(bad(f"{family}: the registry differs: {problem}"))
    if problems.found:
        finding()


@models.command("sync")
@click.option("--clean", is_flag=True, help="Remove every other version from the model store.")
@json_option
@pass_settings
def sync_command(settings: Settings, clean: bool, as_json: bool) -> None:
    """Bring the model store in order: the twelve versions, sound and marked.

    Exit status: 1 when something could not be done.

    Example: rps models sync --clean
    """
    with opened(settings) as core:
        synced = sync(core, FAMILIES, ALIASES, clean=clean)
    if as_json:
        print_json(vars(synced))
    else:
        _show(synced)
    if synced.errors:
        finding()


@models.command()
@click.option("--register", "url", metavar="URL", required=True, help="Where MLflow reaches this service.")
@json_option
@pass_settings
def webhook(settings: Settings, url: str, as_json: bool) -> None:
    """Have MLflow's server announce each move of an alias, signed by RPS_MLFLOW_WEBHOOK_SECRET.

    Example: rps models webhook --register https://rps.example/internal/mlflow/webhook
    """
    if settings.mlflow_webhook_secret is None:
        raise click.UsageError("set RPS_MLFLOW_WEBHOOK_SECRET, here and where the service runs")
    if not settings.mlflow_tracking_uri.startswith(("http://", "https://")):
        raise click.UsageError("only MLflow's server sends webhooks: set MLFLOW_TRACKING_URI to its address")
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{url!r} is no address of HTTP", param_hint="--register")
    registry = MlflowRegistry(settings.mlflow_tracking_uri)
    is_new = registry.send_webhooks(url, settings.mlflow_webhook_secret)
    if as_json:
        print_json({"url": url, "created": is_new})
    else:
        say(f"MLflow {'sends' if is_new else 'now sends'} each move of an alias to {url}")


def _show(synced: Synced) -> None:
    say(f"{len(synced.kept)} were there, {len(synced.copied)} copied, {len(synced.removed)} removed")
    for what, names in (("copied", synced.copied), ("removed", synced.removed)):
        for name in names:
            say(f"{what}: {name}")
    for error in synced.errors:
        say(bad(f"error: {error}"))


def _record(one: Shown, card: ModelCard | None, problems: Mismatches) -> dict[str, Any]:
    by_opponent = {
        player: {
            "correct": score.correct,
            "rows": score.rows,
            "accuracy": score.accuracy,
            "interval": wilson(score, CONFIDENCE),
            "confidence": CONFIDENCE,
        }
        for player, score in (card.by_opponent.items() if card else ())
    }
    return {
        "model_type": one.family,
        "alias": one.alias,
        "version": one.version,
        "live_accuracy": one.live.accuracy,
        "live_predictions": one.live.rows,
        "holdout_accuracy": one.holdout_accuracy,
        "training_accuracy": one.training_accuracy,
        "age_seconds": one.age_seconds,
        "source": one.source,
        "trained_by": one.trained_by,
        "run_id": one.run_id,
        "registry_mismatch": problems.found.get(one.family),
        "registry_unreachable": problems.unreachable,
        **({"by_opponent": by_opponent} if card else {}),
    }


def _rows(shown: Sequence[Shown]) -> Iterator[tuple[str | int | float | None, ...]]:
    for one in shown:
        yield (
            one.family,
            one.alias,
            f"v{one.version}",
            share(one.live.accuracy),
            one.live.rows,
            share(one.holdout_accuracy),
            share(one.training_accuracy),
            _age(one.age_seconds),
            one.source,
        )


def _print_opponents(family: Family, shown: Sequence[Shown], described: Cards) -> None:
    mine = [one for one in shown if one.family == family]
    columns = [described.get((family, one.version)) for one in mine]
    players = sorted({player for card in columns if card for player in card.by_opponent})
    rows = [(player, *(_with_interval(card, player) for card in columns)) for player in players]
    headings = ("player", *(f"{one.alias} v{one.version}" for one in mine))
    print_table(f"{family}: hold-out accuracy by player, with the {CONFIDENCE:.0%} interval", headings, rows)


def _with_interval(card: ModelCard | None, player: str) -> str | None:
    score = card.by_opponent.get(player) if card else None
    if score is None or score.accuracy is None:
        return None
    low, high = wilson(score, CONFIDENCE)
    return f"{show(share(score.accuracy))} ({100 * low:.1f}..{100 * high:.1f}, n = {score.rows})"


def _age(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
