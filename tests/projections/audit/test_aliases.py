from pathlib import Path

import pytest

from bench.history import grow
from bench.ledgers import bootstrap, empty_ledger
from ledger.vocabulary import FAMILIES
from projections.audit.aliases import FamilyAliases, aliases_at
from projections.audit.replay import Replay
from projections.errors import ProjectionError
from tests.projections.sabotage import execute


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("aliases") / "ledger.db"
    ledger = empty_ledger(path)
    bootstrap(ledger)
    ledger.engine.dispose()
    grow(path, 6_000)
    return path


def test_aliases_at_every_assignment_are_those_of_a_replay(history: Path) -> None:
    ledger = empty_ledger(history)
    replay = Replay(ledger)
    assigned = [entry.position for entry in ledger.read(limit=10_000, types=("promotion.aliases_assigned",))]
    assert len(assigned) > len(FAMILIES)

    for position in sorted({0, *assigned, *(one - 1 for one in assigned), ledger.head().position}):
        replay.advance(position)
        assert aliases_at(ledger, position) == of(replay)

    ledger.engine.dispose()


def test_an_assignment_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = empty_ledger(path)
    bootstrap(ledger)
    execute(path, "UPDATE events SET payload = CAST('{' AS BLOB) WHERE position = 2")

    with pytest.raises(ProjectionError) as found:
        aliases_at(ledger, 3)

    ledger.engine.dispose()
    assert found.value.position == 2


def of(replay: Replay) -> dict[str, FamilyAliases]:
    states, windows = replay.read_models.standings.state.families, replay.read_models.tickers.state.windows
    return {
        family: FamilyAliases(dict(state.aliases), state.swap_count, windows[family].last_swap_us)
        for family, state in states.items()
    }
