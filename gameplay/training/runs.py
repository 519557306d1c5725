"""The training runs that the ledger knows of, by the version that came of them."""

from typing import NamedTuple

from ledger.events import TrainingCompleted
from ledger.store import Ledger
from ledger.streams import training_stream
from ledger.vocabulary import Family


class Run(NamedTuple):
    """A run that gave a version, and when it was recorded (microseconds since the epoch)."""

    recorded_us: int
    event: TrainingCompleted

    @property
    def is_own(self) -> bool:
        """Whether it was trained on this ledger; a report of a trainer elsewhere names no positions."""
        return self.event.through_position is not None


def runs_of(ledger: Ledger, family: Family) -> dict[int, Run]:
    """Version -> the run that it came of: the newest, but what is said later of an own run does not replace it.

    A trainer that reports an accuracy for a version does not know what it has learned from.
    """
    runs: dict[int, Run] = {}
    for entry in ledger.read_stream(training_stream(family)):
        event = ledger.decode(entry)
        assert isinstance(event, TrainingCompleted)
        if event.model_version is None:
            continue
        run, known = Run(entry.recorded_us, event), runs.get(event.model_version)
        if known is None or run.is_own or not known.is_own:
            runs[event.model_version] = run
    return runs
