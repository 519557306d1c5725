"""`rps capture`: play, keep what was served, and hold it against the ledger and the training."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from gameplay.client.simulate import ScriptedPlayer, SimulationError, connect
from gameplay.commands.opened import check_ledger
from gameplay.commands.settings import pass_settings, service_url
from gameplay.config import Settings
from gameplay.core import open_core
from gameplay.game.answers import PlayAnswer
from gameplay.models.loaded import Key
from gameplay.parity import capture as captures
from gameplay.parity.capture import CapturedRound
from gameplay.parity.comparison import AccuracyComparison, ParityReport, check
from ledger.store import Ledger
from ledger.vocabulary import BOTS, POLICIES, BotName, Policy
from projections.commands.console import (
    bad,
    finding,
    json_option,
    print_json,
    print_table,
    say,
    share,
    show,
    track,
)
from projections.commands.numbers import SEED, DecimalType, WholeType
from projections.commands.program import Problem
from projections.decision.accuracy import CONFIDENCE

_HEADINGS = (
    "family", "version", "player", "live", "rounds", "hold-out", "rows", "of", "difference", "interval"
)  # fmt: skip
FINDINGS_SHOWN = 20


@click.command()
@click.option("--user", type=click.Choice(BOTS), default="cal", show_default=True, help="The player.")
@click.option("--policy", type=click.Choice(POLICIES), default="forrest", show_default=True, help="The opponent.")
@click.option("--games", type=WholeType(1), default=10, show_default=True, help="How many.")
@click.option("--strict-parity", is_flag=True, help="Compare exactly, and the rows of the training as well.")
@click.option("--replay", is_flag=True, help="Play nothing: take the last games from the ledger.")
@click.option("--sleep", type=DecimalType(0), default=0.0, help="Seconds between two rounds.")
@click.option("--seed", type=SEED, default=None, help="Makes the player's choices repeatable.")
@click.option("--url", default=None, help="Address of the service; by default as the settings say.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="The file; default: in the data folder."
)
@json_option
@pass_settings
def capture(
    settings: Settings,
    user: BotName,
    policy: Policy,
    games: int,
    strict_parity: bool,
    replay: bool,
    sleep: float,
    seed: int | None,
    url: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Write what was served in a scripted player's games to a file, and check it.

    Features and predictions are computed again from the ledger, and the accuracy is compared with the hold-out's
    against the same player. Exit status: 1 when something is not as it should be.

    Example: rps capture --user cal --policy forrest --games 10 --strict-parity
    """
    path = (
        out
        or settings.data_dir
        / "captures"
        / f"{user}-{policy}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.jsonl"
    )
    check_ledger(settings)
    core = open_core(settings, read_only=True)
    try:
        if replay:
            rounds = _replayed(core.ledger, user, policy, games)
        else:
            address = url or service_url(settings)
            rounds = _played(address, user, policy, games, sleep_seconds=sleep, seed=seed)
        captures.write(path, rounds)
        report = check(core.ledger, core.models, rounds, strict=strict_parity)
        runs = {key: run_id for key in report.versions if (run_id := core.models.run_id(*key)) is not None}
    finally:
        core.close()
    if as_json:
        print_json(_record(report, path, runs))
    else:
        _show(report, path, runs)
    if report.findings:
        finding()


def _played(
    address: str, user: BotName, policy: Policy, games: int, *, sleep_seconds: float, seed: int | None
) -> list[CapturedRound]:
    answers: list[PlayAnswer] = []
    try:
        with connect(address) as client:
            player = ScriptedPlayer(client, user, seed=seed)
            steps = player.games(policy, games, sleep_seconds=sleep_seconds, listen=answers.append)
            for _ in track(steps, f"{user} plays {policy}", games):
                pass
    except SimulationError as error:
        raise Problem(str(error)) from error
    captured = (captures.from_answer(user, answer) for answer in answers)
    return [one for one in captured if one is not None]


def _replayed(ledger: Ledger, user: BotName, policy: Policy, games: int) -> list[CapturedRound]:
    found = captures.from_ledger(ledger, user, policy, games)
    return [one for game in track(found, f"{user} against {policy}, from the ledger", games) for one in game]


def _record(report: ParityReport, path: Path, runs: Mapping[Key, str]) -> dict[str, Any]:
    return {
        "file": str(path),
        "games": report.games,
        "rounds": report.rounds,
        "predictions": report.predictions,
        "fallbacks": report.fallbacks,
        "differences": len(report.differences),
        "confidence": CONFIDENCE,
        "comparisons": [
            {
                "model_type": one.family,
                "version": one.version,
                "player": one.player,
                "live": msgspec.to_builtins(one.live),
                "live_accuracy": one.live.accuracy,
                "holdout": msgspec.to_builtins(one.holdout),
                "holdout_accuracy": one.holdout.accuracy,
                "difference": _difference(one),
                "interval": one.interval,
                "own": one.own,
                "held_out_of": one.held_out_of,
                "run_id": runs.get((one.family, one.version)),
                "metric": one.metric,
                "finding": one.is_finding,
            }
            for one in report.comparisons
        ],
        "findings": report.findings,
    }


def _show(report: ParityReport, path: Path, runs: Mapping[Key, str]) -> None:
    say(
        f"{report.rounds:,} rounds of {report.games:,} games, with {report.predictions:,} predictions, computed "
        f"again: {len(report.differences):,} differences. {report.fallbacks:,} rounds were played by a fallback. "
        f"In {path}"
    )
    title = f"Accuracy, live and held out; interval of the difference at {CONFIDENCE:.1%}"
    print_table(title, _HEADINGS, list(_rows(report)))
    for one in report.comparisons:
        run_id = runs.get((one.family, one.version))
        run = f"MLflow run {run_id}" if run_id else "an MLflow run that is not known"
        say(f"{one.family} v{one.version}: held out is the metric {one.metric} of {run}.")
    _show_findings(report.findings)


def _rows(report: ParityReport) -> Iterator[tuple[str | int | float | None, ...]]:
    for one in report.comparisons:
        interval = "not comparable"
        if one.interval:
            interval = f"{show(share(one.interval.low))} .. {show(share(one.interval.high))}"
        yield (
            one.family,
            f"v{one.version}",
            one.player,
            share(one.live.accuracy),
            one.live.rows,
            share(one.holdout.accuracy),
            one.holdout.rows,
            one.held_out_of,
            share(_difference(one)),
            bad(interval) if one.is_finding else interval,
        )


def _difference(one: AccuracyComparison) -> float | None:
    live, held_out = one.live.accuracy, one.holdout.accuracy
    return live - held_out if live is not None and held_out is not None else None


def _show_findings(findings: Sequence[str]) -> None:
    for found in findings[:FINDINGS_SHOWN]:
        say(bad(f"finding: {found}"))
    if len(findings) > FINDINGS_SHOWN:
        say(f"... and {len(findings) - FINDINGS_SHOWN} more")
