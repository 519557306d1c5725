"""The `rps` command."""

import json
import logging
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

import click
import uvicorn
from rich.logging import RichHandler
from rich.table import Table

from gameplay.commands.capture import capture
from gameplay.commands.console import messages as _messages
from gameplay.commands.console import output as _output
from gameplay.commands.console import track as _track
from gameplay.commands.models import models
from gameplay.commands.train import train
from gameplay.config import SettingError, Settings, read_settings
from gameplay.core import Core, open_core
from gameplay.dashboard_cli import dashboard
from gameplay.errors import ModelError
from gameplay.refusals import Refusal
from gameplay.setup import FIRST_GAMES, is_set_up, set_up
from gameplay.simulate import Player, SimulatedGame, SimulationError, connect
from gameplay.web.app import create_app
from ledger.errors import LedgerError
from ledger.events import AliasesPlanned, CycleDecided
from ledger.vocabulary import BOTS, FAMILIES, MODEL_TYPE_OF_OPPONENT, BotName, Family, Opponent
from migrations import current_revision
from projections.errors import ProjectionError

EXIT_PROBLEM = 2
PROBLEMS = (SettingError, LedgerError, ModelError, ProjectionError, Refusal, SimulationError)


def main() -> None:
    """Run a command; a problem is told in one line, with exit status 2."""
    try:
        rps()
    except PROBLEMS as problem:
        _messages.print(f"[red]rps:[/red] {problem}", highlight=False, soft_wrap=True)
        sys.exit(EXIT_PROBLEM)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="promotion-ledger")
@click.pass_context
def rps(context: click.Context) -> None:
    """Rock-Paper-Scissors against models whose every round and promotion is on the record.

    Settings come from the environment; docs/operations.md lists them.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(message)s", handlers=[RichHandler(console=_messages, show_path=False)]
    )
    # They tell of every step and every request, which would bury everything else.
    for chatty in ("alembic", "apscheduler", "httpx2", "httpcore2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    context.obj = read_settings()


rps.add_command(dashboard)
rps.add_command(train)
rps.add_command(capture)
rps.add_command(models)


@rps.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    r"""Serve; on an empty data folder, play the first games and train the first models before that.

    \b
    Example: RPS_PORT=9000 rps serve
    """
    core = open_core(settings)
    try:
        if not is_set_up(core):
            set_up(core, _track)
            core.read_models.projector.save(every=1)
    finally:
        core.close()
    _messages.print(f"Serving on http://{settings.host}:{settings.port}, data in {settings.data_dir}")
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        loop="uvloop",
        http="httptools",
        timeout_graceful_shutdown=10,
    )


@rps.command()
@click.option("--games", type=click.IntRange(min=50), default=FIRST_GAMES, show_default=True)
@click.option("--early", type=click.Choice(FAMILIES), help="Family whose Production learns from few games only.")
@click.pass_obj
def setup(settings: Settings, games: int, early: Family | None) -> None:
    r"""Do the first start's work without serving.

    \b
    Example: rps setup --games 500
    """
    core = open_core(settings)
    try:
        set_up(core, _track, games=games, early=early)
        core.read_models.projector.save(every=1)
    finally:
        core.close()


@rps.command()
@click.pass_obj
def migrate(settings: Settings) -> None:
    r"""Bring the database to the newest migration; every start does the same.

    \b
    Example: rps migrate
    """
    core = open_core(settings)
    _output.print(f"{settings.database_url} is at migration {current_revision(core.engine)}")
    core.close()


@rps.command()
@click.option("--user", type=click.Choice(BOTS), default="cal", show_default=True, help="The bot that plays.")
@click.option("--policy", type=click.Choice(list(MODEL_TYPE_OF_OPPONENT)), default="forrest", show_default=True)
@click.option("--games", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--url", default=None, help="Where the service is; by default where the settings say.")
@click.option("--seed", type=int, default=None, help="Makes the bot's choices repeatable.")
@click.option("--sleep", type=click.FloatRange(min=0), default=0.0, help="Seconds between two rounds.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each game.")
@click.pass_obj
def simulate(
    settings: Settings,
    user: BotName,
    policy: Opponent,
    games: int,
    url: str | None,
    seed: int | None,
    sleep: float,
    as_json: bool,
) -> None:
    r"""Let a bot play games against a running service, through HTTP.

    \b
    Example: rps simulate --user cal --policy forrest --games 20
    """
    with connect(url or f"http://{settings.host}:{settings.port}") as client:
        player = Player(client, user, seed=seed)
        steps = player.games(policy, games, sleep_seconds=sleep)
        played = list(_track(steps, f"{user} plays {policy}", games))
    if as_json:
        for game in played:
            click.echo(json.dumps(game._asdict()))
    else:
        _output.print(_games_table(played))


@rps.command()
@click.option("--model-type", type=click.Choice(FAMILIES), help="One family only.")
@click.option("--dry-run", is_flag=True, help="Say what a cycle would decide, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each family.")
@click.pass_obj
def promote(settings: Settings, model_type: Family | None, dry_run: bool, as_json: bool) -> None:
    r"""Run a promotion cycle now.

    \b
    Example: rps promote --model-type xgboost --dry-run
    """
    families: tuple[Family, ...] = (model_type,) if model_type else FAMILIES
    core = open_core(settings)
    try:
        core.read_models.projector.start()
        decided = [_cycle(core, family, dry_run) for family in families]
    finally:
        core.close()
    if as_json:
        for family, cycle, moves in decided:
            click.echo(json.dumps(_cycle_record(family, cycle, moves)))
    else:
        _output.print(_cycles_table(decided, dry_run=dry_run))


Decided = tuple[Family, CycleDecided | None, bool]


def _cycle(core: Core, family: Family, dry_run: bool) -> Decided:
    if dry_run:
        cycle, planned = core.promotion.preview(family)
        return family, cycle, isinstance(planned, AliasesPlanned)
    decided = core.promotion.cycle(family, trigger="manual", source="rps promote")
    return family, decided, decided is not None and core.promotion.moment(family).standing.plan is None


def _cycle_record(family: Family, cycle: CycleDecided | None, moves: bool) -> dict[str, Any]:
    if cycle is None:
        return {"model_type": family, "decision": None, "reason": "an open plan could not be completed"}
    return {
        "model_type": family,
        "decision": cycle.decision,
        "reorder": cycle.reordered,
        "z_statistic": cycle.z_statistic,
        "p_value": cycle.p_value,
        "reason": cycle.reason,
        "applied": moves,
    }


def _cycles_table(decided: Iterable[Decided], *, dry_run: bool) -> Table:
    table = Table(title="What a cycle would decide" if dry_run else "Promotion cycles")
    for heading in ("family", "decision", "z", "p", "reason"):
        table.add_column(heading)
    for family, cycle, _ in decided:
        if cycle is None:
            table.add_row(family, "-", "", "", "an open plan could not be completed; is the registry up?")
            continue
        decision = f"{cycle.decision} + re-rank" if cycle.reordered else cycle.decision
        table.add_row(family, decision, _number(cycle.z_statistic), _number(cycle.p_value), cycle.reason)
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _games_table(games: list[SimulatedGame]) -> Table:
    table = Table(title=f"{len(games)} games")
    for heading in ("policy", "alias", "games", "bot won", "player won", "tied", "rounds a game"):
        table.add_column(heading, justify="right")
    by_alias: dict[tuple[str, str], list[SimulatedGame]] = {}
    for game in games:
        by_alias.setdefault((game.policy, game.alias or "-"), []).append(game)
    for (policy, alias), some in sorted(by_alias.items()):
        won = Counter(game.winner for game in some)
        rounds = sum(game.rounds for game in some) / len(some)
        counts = [str(won[winner]) for winner in ("bot", "user", "tie")]
        table.add_row(policy, alias, str(len(some)), *counts, f"{rounds:.1f}")
    return table
