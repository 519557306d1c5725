"""What the parity guard must have seen at a position, found again in the raw events.

As in `recount`, no projection has a part in it: the checks are read from the family's serving stream, and which
run a version came of from its trainings and assignments.
"""

from bisect import bisect_right
from collections.abc import Iterable
from operator import attrgetter
from typing import NamedTuple, TypeVar

from msgspec import Struct, field

from ledger.events import ParityChecked, TrainingCompleted, VersionRun
from ledger.evidence import ParityFound
from ledger.store import Ledger
from ledger.streams import serving_stream, training_stream
from ledger.vocabulary import Family
from projections.fold import decode


class RunSeen(NamedTuple):
    """From a position on, a version's number has meant this run."""

    position: int
    run: VersionRun


class _Check(NamedTuple):
    position: int
    run_id: str | None
    found: ParityFound


Seen = TypeVar("Seen", _Check, RunSeen)


class ParityChecks(Struct):
    """The checks of a family's versions and the runs that they came of, by version, each in the ledger's order."""

    checks: dict[int, list[_Check]] = field(default_factory=dict)
    runs: dict[int, list[RunSeen]] = field(default_factory=dict)

    def newest(self, version: int, position: int) -> ParityFound | None:
        """The newest check up to a position, unless the version's number meant another run by then."""
        check = _newest(self.checks.get(version, []), position)
        seen = _newest(self.runs.get(version, []), position)
        if check is None or check.run_id != (seen and seen.run.run_id):
            return None
        return check.found


def read_parity_checks(ledger: Ledger, family: Family, assigned: Iterable[RunSeen]) -> ParityChecks:
    """All parity checks of the family, whose assignments have named some of the runs.

    Raises ProjectionError for an event that cannot be read.
    """
    known, runs = ParityChecks(), list(assigned)
    for entry in ledger.read_stream(serving_stream(family)):
        event = decode(entry, ledger.codec)
        if isinstance(event, ParityChecked):
            found = ParityFound(position=entry.position, rounds=event.rounds, differences=event.differences)
            known.checks.setdefault(event.version, []).append(_Check(entry.position, event.run_id, found))
    if not known.checks:
        return known
    for entry in ledger.read_stream(training_stream(family)):
        match decode(entry, ledger.codec):
            case TrainingCompleted(model_version=int(version), run_id=str(run_id)):
                runs.append(RunSeen(entry.position, VersionRun(version=version, run_id=run_id, graph_sha256=None)))
            case _:
                pass  # it made no version
    for seen in sorted(runs, key=attrgetter("position")):
        known.runs.setdefault(seen.run.version, []).append(seen)
    return known


def _newest(known: list[Seen], position: int) -> Seen | None:
    index = bisect_right(known, position, key=attrgetter("position"))
    return known[index - 1] if index else None
