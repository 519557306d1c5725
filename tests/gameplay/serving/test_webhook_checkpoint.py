from gameplay.serving.webhook_checkpoint import Checkpoint
from ledger.store import Ledger
from tests.postgresql import EVERY_ENGINE

pytestmark = EVERY_ENGINE


def test_a_checkpoint_is_the_furthest_that_was_written(ledger: Ledger) -> None:
    assert Checkpoint(ledger.engine).read() is None

    for position, furthest in ((5, 5), (7, 7), (6, 7), (7, 7), (8, 8)):
        Checkpoint(ledger.engine).write(position)
        assert Checkpoint(ledger.engine).read() == furthest


def test_a_checkpoint_goes_back_where_that_is_asked_for(ledger: Ledger) -> None:
    for position in (7, 5):
        Checkpoint(ledger.engine).reset(position)
        assert Checkpoint(ledger.engine).read() == position
