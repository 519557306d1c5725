"""`rps models`: the twelve versions, and the model store in order."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.table import Table

from gameplay.commands.console import EXIT_FINDING, opened, output, share
from gameplay.config import Settings
from gameplay.models.artifacts import ModelCard, Score
from gameplay.models.intervals import wilson
from gameplay.serving.overview import Shown, cards, overview
from gameplay.serving.sync import Synced, sync
from ledger.vocabulary import ALIASES, FAMILIES, Family

CONFIDENCE = 0.95

Cards = Mapping[tuple[Family, int], ModelCard]


@click.group(invoke_without_command=True, epilog="Example: rps models --by-opponent")
@click.option("--by-opponent", is_flag=True, help="Hold-out accuracy against each player, with its interval.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each alias.")
@click.pass_context
def models(context: click.Context, by_opponent: bool, as_json: bool) -> None:
    """Show the versions behind the twelve aliases."""
    if context.invoked_subcommand is not None:
        return
    with opened(context.obj) as core:
        shown = overview(core)
        described = cards(core, shown) if by_opponent else {}
    if as_json:
        for one in shown:
            click.echo(json.dumps(_record(one, described.get((one.family, one.version)))))
    elif by_opponent:
        for family in FAMILIES:
            output.print(_opponents_table(family, shown, described))
    else:
        output.print(_table(shown))


@models.command("sync", epilog="Example: rps models sync --clean")
@click.option("--clean", is_flag=True, help="Remove every other version from the model store.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def sync_command(settings: Settings, clean: bool, as_json: bool) -> None:
    """Bring the model store in order: the twelve versions, sound and marked.

    The exit status is 1 when something could not be done.
    """
    with opened(settings) as core:
        synced = sync(core, FAMILIES, ALIASES, clean=clean)
    if as_json:
        click.echo(json.dumps(vars(synced)))
    else:
        _show(synced)
    if synced.errors:
        sys.exit(EXIT_FINDING)


def _show(synced: Synced) -> None:
    output.print(f"{len(synced.kept)} were there, {len(synced.copied)} copied, {len(synced.removed)} removed")
    for what, names in (("copied", synced.copied), ("removed", synced.removed), ("error", synced.errors)):
        for name in names:
            output.print(f"{what}: {name}", highlight=False, soft_wrap=True)


def _record(one: Shown, card: ModelCard | None) -> dict[str, Any]:
    by_opponent = {
        player: {"correct": score.correct, "rows": score.rows, "interval": wilson(score, CONFIDENCE)}
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
        **({"by_opponent": by_opponent} if card else {}),
    }


def _table(shown: Sequence[Shown]) -> Table:
    table = Table(title="The versions behind the aliases; live: since the family's last swap")
    for heading in ("family", "alias", "version", "live", "predictions", "hold-out", "training", "age", "source"):
        table.add_column(heading, justify="left" if heading in ("family", "alias", "source") else "right")
    for one in shown:
        table.add_row(
            one.family,
            one.alias,
            f"v{one.version}",
            share(one.live.accuracy),
            str(one.live.rows),
            share(one.holdout_accuracy),
            share(one.training_accuracy),
            _age(one.age_seconds),
            one.source,
        )
    return table


def _opponents_table(family: Family, shown: Sequence[Shown], described: Cards) -> Table:
    columns = {one.alias: described.get((family, one.version)) for one in shown if one.family == family}
    table = Table(title=f"{family}: hold-out accuracy by player, with the {CONFIDENCE:.0%} interval")
    table.add_column("player")
    for one in shown:
        if one.family == family:
            table.add_column(f"{one.alias} v{one.version}", justify="right")
    players = sorted({player for card in columns.values() if card for player in card.by_opponent})
    for player in players:
        scores = (card.by_opponent.get(player) if card else None for card in columns.values())
        table.add_row(player, *(_with_interval(score) for score in scores))
    return table


def _with_interval(score: Score | None) -> str:
    if score is None or not score.rows:
        return ""
    low, high = wilson(score, CONFIDENCE)
    return f"{share(score.accuracy)} ({100 * low:.1f}..{100 * high:.1f}, n = {score.rows})"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
