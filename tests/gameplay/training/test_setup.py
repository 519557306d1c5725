import random
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from gameplay.config import Settings
from gameplay.core import Core, open_core
from gameplay.models.errors import TrainingError
from gameplay.training.dataset import read_dataset
from gameplay.training.retraining import read_training_data
from gameplay.training.runs import runs_of
from gameplay.training.setup import is_set_up, set_up
from ledger.errors import IdentityError
from ledger.events import AliasesAssigned, GameStarted, TrainingCompleted
from ledger.identity import read_id
from ledger.vocabulary import ALIASES, FAMILIES, Family
from tests.gameplay.faults import CrashError, FaultyRegistry, crash, refuse, registry_with_versions
from tests.gameplay.markers import markers_in

GAMES = 120
LAST: Family = "multinomial_logistic"

Step = TypeVar("Step")


def quietly(steps: Iterable[Step], _description: str, _total: int) -> Iterable[Step]:
    return steps


@pytest.fixture
def registry() -> FaultyRegistry:
    """With versions and aliases of all families but one, which is quick to train."""
    registry = registry_with_versions()
    del registry.named[LAST]
    return registry


@contextmanager
def core_over(folder: Path, registry: FaultyRegistry) -> Iterator[Core]:
    settings = Settings(data_dir=folder, promotion_schedule=None)
    with closing(open_core(settings, registry=registry)) as core:
        yield core


def counted(core: Core) -> tuple[int, int, int]:
    """Games, versions that were trained, and families with aliases."""
    events = [core.ledger.decode(entry) for page in core.ledger.pages() for entry in page]
    return (
        sum(isinstance(event, GameStarted) for event in events),
        sum(isinstance(event, TrainingCompleted) and event.status == "success" for event in events),
        len({event.model_type for event in events if isinstance(event, AliasesAssigned)}),
    )


def test_games_that_were_interrupted_are_played_on(tmp_path: Path) -> None:
    def die_after_the_first_games(steps: Iterable[Step], _description: str, _total: int) -> Iterable[Step]:
        for number, step in enumerate(steps):
            if number == 30:
                crash()
            yield step

    registry = registry_with_versions()
    with core_over(tmp_path, registry) as core:
        assert not is_set_up(core)
        with pytest.raises(CrashError):
            set_up(core, die_after_the_first_games, games=GAMES, rng=random.Random(1))
        assert counted(core) == (50, 0, 0)

    with core_over(tmp_path, registry) as core:
        set_up(core, quietly, games=GAMES)
        assert counted(core) == (GAMES, 0, 3), "a registry that has everything leaves only the adoption to do"
        assert is_set_up(core)


def test_the_first_versions_learn_from_what_a_training_would_read(
    tmp_path: Path, registry: FaultyRegistry
) -> None:
    with core_over(tmp_path, registry) as core:
        set_up(core, quietly, games=GAMES)

        rows = len(read_training_data(core.ledger, core.settings).rows)
        runs = runs_of(core.ledger, LAST).values()
        assert [run.event.rows for run in runs] == [rows] * len(ALIASES)
        assert rows < len(read_dataset(core.ledger).rows) / 2, "one game in five of each bot"


def test_a_set_up_that_dies_again_and_again_is_finished_in_the_end(
    tmp_path: Path, registry: FaultyRegistry
) -> None:
    registry.at_registration(2, refuse)
    with core_over(tmp_path, registry) as core:
        with pytest.raises(TrainingError, match="the test has stopped it"):
            set_up(core, quietly, games=GAMES)
        assert counted(core)[::2] == (GAMES, 2)
        assert registry.owned_by == read_id(core.engine), "versions shall name the ledger that they learned from"

    registry.at_assignment(2, crash)
    with core_over(tmp_path, registry) as core:
        with pytest.raises(CrashError):
            set_up(core, quietly, games=GAMES)
        assert registry.named[LAST].keys() == {"Production"}
        assert counted(core)[::2] == (GAMES, 2)
        assert core.promotion.problems == {}

    with core_over(tmp_path, registry) as core:
        set_up(core, quietly, games=GAMES)
        assert counted(core)[::2] == (GAMES, 3)
        for family in FAMILIES:
            aliases = core.promotion.state(family).promotion.aliases
            assert aliases == registry.named[family]
            assert len(set(aliases.values())) == len(ALIASES)
        markers = markers_in(tmp_path / "models", LAST)
        assert {alias: version for alias, (version, _run_id) in markers.items()} == registry.named[LAST]

    with core_over(tmp_path, registry) as core:
        assert is_set_up(core)
        head, calls = core.ledger.head(), registry.calls
        set_up(core, quietly, games=10 * GAMES)
        assert (core.ledger.head(), registry.calls) == (head, calls)


def test_no_version_is_trained_for_the_registry_of_another_ledger(
    tmp_path: Path, registry: FaultyRegistry
) -> None:
    registry.owned_by = "01a21a75-cfd1-7a92-a1ed-cf8ddbd35e65"
    kept = set(registry.kept)

    with core_over(tmp_path, registry) as core:
        with pytest.raises(IdentityError, match="the registry's models are those of ledger 01a21a75"):
            set_up(core, quietly, games=GAMES)
        assert counted(core) == (GAMES, 0, 2)
    assert set(registry.kept) == kept
