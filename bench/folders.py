"""Data folders as `rps setup` leaves them, with a ledger of a wanted size; each is made once in a run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.history import grow
from bench.ledgers import empty_ledger, fill_with_decisions
from gameplay.config import Settings
from gameplay.core import open_core
from ledger.vocabulary import FAMILIES
from projections.decision.cycle import assignments

RPS = Path(sys.executable).with_name("rps")
RPS_AUDIT = RPS.with_name("rps-audit")
FIRST_GAMES = 600
"""Close to 10,000 events."""
FEW_DECISIONS = 100
MILLION = 1_000_000


def small_folder(folder: Path) -> Path:
    """Just after set-up, with FEW_DECISIONS that nothing was counted for: about 10,000 events."""
    made = folder / "small"
    if not made.exists():
        shutil.copytree(_first_folder(folder), made)
        ledger = empty_ledger(made / "ledger.db")
        fill_with_decisions(ledger, FEW_DECISIONS)
        ledger.engine.dispose()
    return made


def million_folder(folder: Path) -> Path:
    """The same with a million events and the decisions over them, sealed, with snapshots."""
    return grown_folder(folder, MILLION)


def grown_folder(folder: Path, events: int) -> Path:
    """A folder with so many events; the largest that there is goes on growing."""
    made = folder / f"grown-{events}"
    if not made.exists():
        shutil.copytree(_largest_below(folder, events), made)
        grow(made / "ledger.db", events)
        _have_registry_follow(made)
        _seal(made)
    return made


def database_of(data: Path) -> str:
    """The URL of a folder's ledger."""
    return f"sqlite:///{data / 'ledger.db'}"


def environment(data: Path, port: int) -> dict[str, str]:
    """What a service of the bench is told: its folder and its port, and to decide nothing by itself."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RPS_")}
    return {
        **inherited,
        "RPS_DATA_DIR": str(data),
        "RPS_PORT": str(port),
        "RPS_PROMOTION_SCHEDULE": "off",
    }


def _first_folder(folder: Path) -> Path:
    made = folder / "first"
    if not made.exists():
        command = [str(RPS), "setup", "--games", str(FIRST_GAMES)]
        subprocess.run(command, env=environment(made, 0), check=True, capture_output=True)
    return made


def _largest_below(folder: Path, events: int) -> Path:
    sizes = [int(made.name.partition("-")[2]) for made in folder.glob("grown-*")]
    below = [size for size in sizes if size < events]
    return folder / f"grown-{max(below)}" if below else _first_folder(folder)


def _have_registry_follow(data: Path) -> None:
    """Set the registry's aliases as the history leaves them: a start would take the difference for a move."""
    core = open_core(Settings(data_dir=data))
    try:
        for family in FAMILIES:
            state = core.promotion.state(family)
            core.promotion.backends.apply(family, assignments(None, state.assignment()), state.promotion.run)
    finally:
        core.close()


def _seal(data: Path) -> None:
    """Seal what is there: a service's first seal over a long history would be measured with what comes next."""
    command = [str(RPS_AUDIT), "--database", database_of(data), "seal", "--key", str(data / "seal.key")]
    subprocess.run(command, check=True, capture_output=True)
