"""A watch over a ledger: what is new is verified, and new decisions are derived again, look after look."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ledger.sealing.keys import Verifier
from ledger.store import Ledger
from ledger.streams import promotion_stream
from ledger.verification.audit import audit
from ledger.verification.walk import Anchor, verify
from ledger.vocabulary import FAMILIES
from projections.audit.decisions import check_decisions
from projections.errors import ProjectionError
from projections.read_models.history import NAME, History


class Look(NamedTuple):
    """What one look came to: how far the log is verified, and what was not found before."""

    verified_position: int
    findings: tuple[str, ...]


class Watch:
    """What is verified so far, and everything that was found.

    `verified_position` is the last one up to which all events fit. The first look takes the whole log with its
    seals, and so does one that is asked for everything. Another takes what was appended, from the chain hash at
    which the look before ended, so a history that is written again does not fit. A finding stays until the watch
    ends: a row that was put back was changed all the same.
    """

    def __init__(self, verifiers: Sequence[Verifier] = ()) -> None:
        self.findings: dict[str, None] = {}
        self.verified_position = 0
        self._verifiers = verifiers
        self._reached: Anchor | None = None
        self._is_broken = False
        self._decided: list[int] | None = None

    def look(self, ledger: Ledger, *, everything: bool = False) -> Look:
        """Verify what is new, or everything again: who can write the file can change what was verified before.

        Raises StorageError where the ledger cannot be read now, which it may be at a later look.
        """
        found = [
            *self._verify(ledger, everything=everything),
            *self._check_decisions(ledger),
            *_check_history(ledger),
        ]
        new = tuple(dict.fromkeys(one for one in found if one not in self.findings))
        self.findings.update(dict.fromkeys(new))
        return Look(self.verified_position, new)

    def _verify(self, ledger: Ledger, *, everything: bool) -> Iterator[str]:
        reached, head = self._reached, ledger.head().position
        if reached is not None and head < reached.position:
            yield f"position {head + 1}: cut tail: the log ends at {head}, and reached {reached.position} before"
            return
        if reached is None or everything:
            report = audit(ledger, verifiers=self._verifiers, anchors=[reached] if reached else ())
        else:
            report = verify(ledger, first=reached.position + 1, anchors=[reached])
        self._is_broken |= any(one.position is not None for one in report.findings)
        if report.unchecked_from is None:
            self._reached = Anchor(report.last, report.chain_hash)
            if not self._is_broken:
                self.verified_position = report.last
        yield from map(str, report.findings)

    def _check_decisions(self, ledger: Ledger) -> list[str]:
        decided = [ledger.version(promotion_stream(family)) for family in FAMILIES]
        if decided == self._decided:
            return []
        try:
            checked = check_decisions(ledger)
        except ProjectionError as error:
            return [str(error)]
        self._decided = decided
        mismatches = [
            f"position {one.position}: the decision's {it.field} is recorded as {it.recorded} and comes out as"
            f" {it.recomputed}"
            for one in checked.decisions
            for it in one.mismatches
        ]
        games = [f"position {one.position}: game {one.game_id}: {one.problem}" for one in checked.problems]
        moves = [f"position {one.position}: {one.family}: {one.problem}" for one in checked.moves]
        return [*mismatches, *games, *moves]


def _check_history(ledger: Ledger) -> Iterator[str]:
    if damage := History(ledger).damage():
        yield f"{NAME}: {damage}"
