"""Append a fact that nobody decided from its stream: a training run, a reload."""

from ledger.errors import ConflictError
from ledger.events import ModelsReloaded, TrainingCompleted
from ledger.store import Ledger, Receipt

ATTEMPTS_MAX = 10


def record(ledger: Ledger, event: TrainingCompleted | ModelsReloaded) -> Receipt:
    """Append the event to its family's stream, after whatever another process has appended meanwhile."""
    stream = f"{'training' if isinstance(event, TrainingCompleted) else 'serving'}-{event.model_type}"
    expected = ledger.version(stream)
    for _ in range(ATTEMPTS_MAX - 1):
        try:
            return ledger.append(stream, [event], expected)
        except ConflictError as error:
            expected = error.actual
    return ledger.append(stream, [event], expected)
