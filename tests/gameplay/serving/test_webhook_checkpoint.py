from gameplay.serving.webhook_checkpoint import Checkpoint
from ledger.store import Ledger
from tests.postgresql import EVERY_ENGINE

pytestmark = EVERY_ENGINE


def test_a_checkpoint_is_what_was_written_last(ledger: Ledger) -> None:
    assert Checkpoint(ledger.engine).read() is None

    for position in (7, 5):
        Checkpoint(ledger.engine).write(position)
        assert Checkpoint(ledger.engine).read() == position
