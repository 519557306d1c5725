"""The whole way once: games over HTTP, cycles until a swap, a kill -9, what has changed (nothing), and the audit.

    make demo

Everything happens in a scratch folder. One family's Production has learned from a few games only, so that a
better B is there to be found; the test itself has to find it.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
from rich.progress import track
from rich.table import Table

from gameplay.client.simulate import ScriptedPlayer, connect
from gameplay.config import Settings, read_settings
from gameplay.core import Core, open_core
from gameplay.promotion import planning
from ledger.vocabulary import ALIASES, BOTS, FAMILIES, FAMILY_OF_POLICY, POLICIES, Family
from projections.commands.console import output
from scripts.children import Child, EndedError
from scripts.ports import free_port

EARLY: Family = "xgboost"
FIRST_GAMES = 3_000
ROUNDS_OF_GAMES_MAX = 40
READY_SECONDS_MAX = 60
RPS = Path(sys.executable).with_name("rps")

console = output()


def main() -> int:
    """Run the demonstration; the exit status is 0 when nothing was lost, a family swapped and the audit agrees."""
    folder = Path(tempfile.mkdtemp(prefix="rps-demo-"))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RPS_")},
        "RPS_DATA_DIR": str(folder),
        "RPS_PORT": str(free_port()),
        "RPS_PROMOTION_SCHEDULE": "off",
    }
    settings = read_settings({name: environment[name] for name in ("RPS_DATA_DIR", "RPS_PORT")})
    try:
        console.rule("Set-up: bots play, twelve versions are trained")
        subprocess.run([RPS, "setup", "--games", str(FIRST_GAMES), "--early", EARLY], env=environment, check=True)
        return _demonstrate(settings, environment)
    finally:
        shutil.rmtree(folder)


def _demonstrate(settings: Settings, environment: dict[str, str]) -> int:
    url = f"http://{settings.host}:{settings.port}"
    core = open_core(settings)
    try:
        with connect(url) as client:
            with _service(environment, client, kill=True):
                console.rule("Games over HTTP, with promotion cycles in between")
                swapped = _play_until_swap(client, core)
                _show_tickers(core)
                _show_history(client)
                _show_aliases(core)
                open_game = _leave_a_game_open(client)
                before = _ledger_series(client)
                console.rule("kill -9, and a new start")
            with _service(environment, client, kill=False):
                after = _ledger_series(client)
                changed = _show_changes(before, after)
                _play_on(client, open_game)
    finally:
        core.close()
    if not swapped:
        console.print(f"[red]{EARLY} was not swapped in {ROUNDS_OF_GAMES_MAX} rounds of games.[/red]")
    agrees = _audit(settings)
    return 0 if swapped and agrees and not changed else 1


def _audit(settings: Settings) -> bool:
    """What the auditor says, from the ledger's file alone: the last word."""
    console.rule("The audit: recount every game, derive every decision again")
    audit = [str(RPS.with_name("rps-audit")), "--database", settings.database_url]
    ended = [subprocess.run([*audit, word], check=False).returncode for word in ("verify", "decisions")]
    return not any(ended)


def _play_until_swap(client: httpx2.Client, core: Core) -> bool:
    """All bots against all policies, then a cycle for each family, until the early version is swapped away.

    Other families may swap before: their versions are about equal, and the rule errs now and then.
    """
    core.read_models.projector.start()
    for round_no in range(1, ROUNDS_OF_GAMES_MAX + 1):
        pairs = [(bot, policy) for bot in BOTS for policy in POLICIES]
        for bot, policy in track(pairs, f"Games, round {round_no}", console=console, transient=True):
            ScriptedPlayer(client, bot).game(policy)
        for family in FAMILIES:
            decided = planning.cycle(core.promotion, family, trigger="manual", source="demo")
            assert decided is not None, "the registry is a file; nothing keeps a plan open"
            console.print(f"round {round_no} {family}: {decided.decision}. {decided.reason}", highlight=False)
            if family == EARLY and decided.decision == "swap_production_b":
                return True
    return False


def _show_tickers(core: Core) -> None:
    table = Table(title="Since the last swap")
    for heading in ("family", "swaps", "Production games", "B games", "cycles"):
        table.add_column(heading, justify="right")
    with core.read_models.projector.current():
        for family, window in core.read_models.tickers.state.windows.items():
            games = [str(window.scores[alias].games) for alias in ("Production", "B")]
            table.add_row(family, str(window.swap_count), *games, str(window.cycles))
    console.print(table)


def _show_history(client: httpx2.Client) -> None:
    table = Table(title="/internal/promotion/history?limit=6")
    columns = ("id", "model_type", "decision", "applied", "b_win_rate", "production_win_rate", "p_value")
    for heading in columns:
        table.add_column(heading)
    for row in client.get("/internal/promotion/history", params={"limit": 6}).json():
        table.add_row(
            *(f"{row[name]:.3f}" if isinstance(row[name], float) else str(row[name]) for name in columns)
        )
    console.print(table)


def _show_aliases(core: Core) -> None:
    table = Table(title="Aliases in MLflow")
    table.add_column("family")
    for alias in ALIASES:
        table.add_column(alias, justify="right")
    for family in FAMILIES:
        found = core.registry.aliases(family)
        table.add_row(family, *(f"v{found[alias]}" for alias in ALIASES))
    console.print(table)


def _leave_a_game_open(client: httpx2.Client) -> str:
    policy = next(policy for policy, family in FAMILY_OF_POLICY.items() if family == EARLY)
    game_id = str(client.post("/start_game", json={"policy": policy}).json()["game_id"])
    for _ in range(4):
        client.post("/play", json={"game_id": game_id, "user_move": "rock"}).raise_for_status()
    return game_id


def _play_on(client: httpx2.Client, game_id: str) -> None:
    played = client.post("/play", json={"game_id": game_id, "user_move": "paper"}).raise_for_status().json()
    console.print(f"The game that was open goes on: round {played['round']}, {played['result']}.")


def _ledger_series(client: httpx2.Client) -> dict[str, str]:
    text = client.get("/metrics", params={"scope": "ledger"}).raise_for_status().text
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return dict(line.rsplit(" ", 1) for line in lines)


def _show_changes(before: dict[str, str], after: dict[str, str]) -> int:
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    for name in changed:
        console.print(f"{name}: {before.get(name)} -> {after.get(name)}", highlight=False)
    console.print(f"{len(changed)} of {len(before)} ledger series changed.")
    return len(changed)


@contextmanager
def _service(environment: dict[str, str], client: httpx2.Client, *, kill: bool) -> Iterator[None]:
    """A running `rps serve`, ended by SIGKILL or by SIGTERM."""
    process = Child([RPS, "serve"], env=environment, stderr=subprocess.DEVNULL)
    try:
        _wait_until_ready(client, process)
        yield
    finally:
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        process.wait()


def _wait_until_ready(client: httpx2.Client, process: Child) -> None:
    def is_ready() -> bool:
        with suppress(httpx2.TransportError):  # it does not listen yet
            return client.get("/readyz").status_code == 200
        return False

    try:
        process.wait_until("the service", is_ready, READY_SECONDS_MAX)
    except (EndedError, TimeoutError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
