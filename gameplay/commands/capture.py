"""`rps capture`: play, keep what was served, and hold it against the ledger and the training."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.table import Table

from gameplay.client import capture as captures
from gameplay.client.capture import CapturedRound
from gameplay.client.parity import CONFIDENCE, ParityReport, check
from gameplay.client.simulate import ScriptedPlayer, connect
from gameplay.commands.console import EXIT_FINDING, output, share, track
from gameplay.config import Settings
from gameplay.core import open_core
from gameplay.game.answers import PlayAnswer
from ledger.store import Ledger
from ledger.vocabulary import BOTS, POLICIES, BotName, Policy

FINDINGS_SHOWN = 20


@click.command(epilog="Example: rps capture --user cal --policy forrest --games 10 --strict-parity --sleep 0.1")
@click.option("--user", type=click.Choice(BOTS), default="cal", show_default=True, help="The bot that plays.")
@click.option("--policy", type=click.Choice(POLICIES), default="forrest", show_default=True)
@click.option("--games", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--strict-parity", is_flag=True, help="Compare exactly, and the rows of the training as well.")
@click.option("--replay", is_flag=True, help="Play nothing: take the last games from the ledger.")
@click.option("--sleep", type=click.FloatRange(min=0), default=0.0, help="Seconds between two rounds.")
@click.option("--seed", type=int, default=None, help="Makes the bot's choices repeatable.")
@click.option("--url", default=None, help="Where the service is; by default where the settings say.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="The file; default: in the data folder."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
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
    """Write what was served in a bot's games to a file, and check it.

    Features and predictions are computed again from the ledger, and the accuracy is compared with the hold-out's
    against the same player. The exit status is 1 when something is not as it should be.
    """
    path = (
        out
        or settings.data_dir
        / "captures"
        / f"{user}-{policy}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.jsonl"
    )
    core = open_core(settings)
    try:
        if replay:
            rounds = _replayed(core.ledger, user, policy, games)
        else:
            address = url or f"http://{settings.host}:{settings.port}"
            rounds = _played(address, user, policy, games, sleep_seconds=sleep, seed=seed)
        captures.write(path, rounds)
        report = check(core.ledger, core.models, rounds, strict=strict_parity)
    finally:
        core.close()
    if as_json:
        click.echo(json.dumps(_record(report, path)))
    else:
        _show(report, path)
    if report.findings:
        sys.exit(EXIT_FINDING)


def _played(
    address: str, user: BotName, policy: Policy, games: int, *, sleep_seconds: float, seed: int | None
) -> list[CapturedRound]:
    answers: list[PlayAnswer] = []
    with connect(address) as client:
        player = ScriptedPlayer(client, user, seed=seed)
        steps = player.games(policy, games, sleep_seconds=sleep_seconds, listen=answers.append)
        for _ in track(steps, f"{user} plays {policy}", games):
            pass
    captured = (captures.from_answer(user, answer) for answer in answers)
    return [one for one in captured if one is not None]


def _replayed(ledger: Ledger, user: BotName, policy: Policy, games: int) -> list[CapturedRound]:
    found = captures.from_ledger(ledger, user, policy, games)
    return [one for game in track(found, f"{user} against {policy}, from the ledger", games) for one in game]


def _record(report: ParityReport, path: Path) -> dict[str, Any]:
    return {
        "file": str(path),
        "games": report.games,
        "rounds": report.rounds,
        "predictions": report.predictions,
        "fallbacks": report.fallbacks,
        "differences": len(report.differences),
        "comparisons": [
            {
                "model_type": one.family,
                "version": one.version,
                "player": one.player,
                "live": msgspec.to_builtins(one.live),
                "holdout": msgspec.to_builtins(one.holdout),
                "interval": one.interval,
                "own": one.own,
                "finding": one.is_finding,
            }
            for one in report.comparisons
        ],
        "findings": report.findings,
    }


def _show(report: ParityReport, path: Path) -> None:
    output.print(
        f"{report.rounds} rounds of {report.games} games, with {report.predictions} predictions, computed again: "
        f"{len(report.differences)} differences. {report.fallbacks} rounds were played by a fallback. In {path}",
        highlight=False,
        soft_wrap=True,
    )
    output.print(_table(report))
    _show_findings(report.findings)


def _table(report: ParityReport) -> Table:
    table = Table(title=f"Accuracy, live and held out; interval of the difference at {CONFIDENCE:.0%}")
    for heading in (
        "family",
        "version",
        "player",
        "live",
        "rounds",
        "hold-out",
        "rows",
        "of",
        "difference",
        "interval",
    ):
        table.add_column(heading, justify="left" if heading in ("family", "player", "of") else "right")
    for one in report.comparisons:
        live, held_out = one.live.accuracy, one.holdout.accuracy
        gap = live - held_out if live is not None and held_out is not None else None
        interval = f"{share(one.interval.low)} .. {share(one.interval.high)}" if one.interval else "not comparable"
        table.add_row(
            one.family,
            f"v{one.version}",
            one.player,
            share(live),
            str(one.live.rows),
            share(held_out),
            str(one.holdout.rows),
            "own games" if one.own else "all games",
            share(gap),
            f"[red]{interval}[/red]" if one.is_finding else interval,
        )
    return table


def _show_findings(findings: Sequence[str]) -> None:
    for finding in findings[:FINDINGS_SHOWN]:
        output.print(f"[red]finding:[/red] {finding}", highlight=False, soft_wrap=True)
    if len(findings) > FINDINGS_SHOWN:
        output.print(f"... and {len(findings) - FINDINGS_SHOWN} more", highlight=False)
