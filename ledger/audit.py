"""Verification: recompute the chain from the stored bytes, and say where it breaks and what was done there."""

import struct
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

from ledger.chain import GENESIS, stored_leaf
from ledger.diagnosis import Diagnosis, Kind, diagnose_gap, diagnose_row, moved_to
from ledger.engines import transaction
from ledger.errors import StorageError
from ledger.merkle import Edge
from ledger.rows import RawRow, Row, Rows
from ledger.schema import TRIGGERS
from ledger.store import Ledger

FINDINGS_MAX = 10
"""After so many the walk stops: a log that was renumbered differs at every position."""


_STORED_TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"


class Finding(msgspec.Struct, frozen=True):
    """Something that is not as it was written; `position` is None where it is about no single event."""

    position: int | None
    kind: Kind
    problem: str

    def __str__(self) -> str:
        where = "" if self.position is None else f"position {self.position}: "
        return f"{where}{self.kind}: {self.problem}"


class Anchor(NamedTuple):
    """A chain hash that somebody wrote down elsewhere."""

    position: int
    chain_hash: bytes


class Claim(NamedTuple):
    """What a checkpoint says: the Merkle root over the first `size` entries, and who says so."""

    size: int
    root: bytes
    source: str


class Report(msgspec.Struct, frozen=True):
    """The outcome of a verification of the positions `first` to `last`."""

    first: int
    last: int
    events: int
    chain_hash: bytes
    claims: int
    findings: tuple[Finding, ...]

    @property
    def intact(self) -> bool:
        """Whether everything is as it was written."""
        return not self.findings


def verify(
    ledger: Ledger,
    *,
    first: int = 1,
    anchors: Sequence[Anchor] = (),
    claims: Iterable[Claim] = (),
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Verify the entries from position `first` to the head, as the head is now.

    With `first` above 1 the chain hash before it is taken on trust, and claims, which are about the whole log,
    are not looked at. `progress` hears the number of entries checked since its last call.
    """
    rows = Rows(ledger.engine)
    walk = _Walk(rows, first, anchors, claims if first == 1 else ())
    try:
        extent = rows.extent()
        walk.begin()
        for page in rows.pages(None if first == 1 else first - 1, extent.last_position):
            walk.check(page)
            if progress is not None:
                progress(len(page))
            if walk.stopped:
                break
        else:
            walk.end(extent.remembered_position)
        walk.findings += _unguarded(ledger)
    except StorageError as error:
        walk.add(None, "damaged", str(error))
    return walk.report()


class _Walk:
    """Where a verification stands: what the next row has to fit to."""

    def __init__(self, rows: Rows, first: int, anchors: Sequence[Anchor], claims: Iterable[Claim]) -> None:
        self.findings: list[Finding] = []
        self.stopped = False
        self._rows = rows
        self._first = first
        self._expected = first
        self._previous: bytes | None = GENESIS
        self._recorded_us = 0
        self._events = 0
        self._versions: dict[bytes, int] = {}
        self._explained: dict[int, bytes | None] = {}
        self._anchors = {anchor.position: anchor.chain_hash for anchor in anchors}
        self._edge = Edge()
        self._claims = sorted(claims, reverse=True)  # the next one is the last
        self._claims_held = 0

    def begin(self) -> None:
        if self._first > 1:
            before = self._rows.at(self._first - 1)
            self._previous = before.chain_hash if before else None

    def check(self, page: list[RawRow]) -> None:
        """The fast way: as long as everything fits, nothing but two hashes and three comparisons a row."""
        previous, expected, recorded_us = self._previous, self._expected, self._recorded_us
        versions, anchors, claimed = self._versions, self._anchors, bool(self._claims)
        leaves: list[bytes] = []
        for position, event_id, stream, version, kind, schema_version, time_us, payload, chain_hash in page:
            known = versions.get(stream, 0) if self._first == 1 else versions.get(stream, version - 1)
            try:
                leaf = stored_leaf(position, event_id, stream, version, kind, schema_version, time_us, payload)
                fits = previous is not None and sha256(previous + leaf).digest() == chain_hash
            except (TypeError, struct.error):
                leaf, fits = bytes(32), False
            if position == expected and fits and version == known + 1 and time_us >= recorded_us:
                previous = chain_hash
                expected += 1
            else:
                row = Row(position, event_id, stream, version, kind, schema_version, time_us, payload, chain_hash)
                self._previous, self._expected, self._recorded_us = previous, expected, recorded_us
                belongs = self._look_closer(row, known)
                previous, expected = self._previous, self._expected
                if self.stopped:
                    return
                if not belongs:
                    continue
            if anchors and position in anchors:
                self._check_anchor(position, chain_hash)
            versions[stream] = version
            if time_us > recorded_us:
                recorded_us = time_us
            if claimed:
                leaves.append(leaf)
        self._previous, self._expected, self._recorded_us = previous, expected, recorded_us
        self._events += len(page)
        self._check_claims(leaves)

    def _look_closer(self, row: Row, known_version: int) -> bool:
        """Name what is wrong with a row, and find the hash from which the rows after it can be checked.

        False for a row that has no place in the log.
        """
        if row.position in self._explained:
            # The other half of a change that has been named: a swapped row's place has a hash to go on from, a row
            # that was moved away has no place here.
            chain_hash = self._explained[row.position]
            if chain_hash is not None:
                self._previous, self._expected = chain_hash, row.position + 1
            return chain_hash is not None
        if row.position < self._first:
            self.add(row.position, "inserted", f"there is no position {row.position}")
            return False
        if row.position > self._expected:
            self._step_over_gap(row)
        if self._previous is None:
            self._trust(row)  # its own link cannot be checked; that of the next one can
        elif row.hash_after(self._previous) != row.chain_hash:
            found = diagnose_row(self._rows, self._previous, row)
            self._note(row.position, found)
            self._expected = row.position + 1
            self._previous = found.next_hash
            self.stopped |= found.kind in ("inserted", "renumbered")
        else:
            if not self.findings:  # after a gap no version follows the one before
                self._check_order(row, known_version)
            self._trust(row)
        self.stopped |= len(self.findings) >= FINDINGS_MAX
        return True

    def _step_over_gap(self, row: Row) -> None:
        if self._previous is None:
            missing = row.position - self._expected
            self.add(self._expected, "missing", f"{missing} event{'s' * (missing > 1)} before {row.position}")
            self._expected = row.position
            return
        found = diagnose_gap(self._rows, self._previous, self._expected, row.position)
        self._note(self._expected, found)
        moved = found.kind == "moved"
        self._expected = self._expected + 1 if moved else row.position
        self._previous = found.next_hash
        if moved and row.position > self._expected:
            self._step_over_gap(row)

    def _check_order(self, row: Row, known_version: int) -> None:
        """A row that fits the chain and yet was not written by this ledger may give itself away."""
        if row.version != known_version + 1:
            stream = row.stream.decode("utf-8", "replace")
            problem = f"version {row.version} of stream {stream!r} follows version {known_version}"
            self.add(row.position, "out of order", problem)
        if row.recorded_us < self._recorded_us:
            self.add(row.position, "out of order", "it is recorded as earlier than the event before it")

    def _trust(self, row: Row) -> None:
        self._previous = row.chain_hash
        self._expected = row.position + 1

    def _check_anchor(self, position: int, chain_hash: bytes) -> None:
        expected = self._anchors.pop(position)
        if chain_hash != expected:
            problem = f"the chain hash is {chain_hash.hex()}, not the expected {expected.hex()}"
            self.add(position, "unexpected hash", problem)

    def _check_claims(self, leaves: list[bytes]) -> None:
        """Extend the Merkle tree, stopping at each size that a checkpoint speaks of."""
        if not self._claims or self.findings:
            return  # after the first break every root is another one, which tells nothing new
        start = 0
        while self._claims and (stop := self._claims[-1].size - self._edge.size) <= len(leaves) - start:
            claim = self._claims.pop()
            self._edge.extend(leaves[start : start + stop])
            start += stop
            if self._edge.root() != claim.root:
                problem = f"{claim.source} over {claim.size} events has another root: one of them was rewritten"
                self.add(claim.size, "rewritten", problem)
                return
            self._claims_held += 1
        self._edge.extend(leaves[start:])

    def end(self, remembered_position: int | None) -> None:
        """What only the end of the log can show: whether there was ever more."""
        last = self._expected - 1
        cut = {anchor: "an anchor" for anchor in self._anchors if anchor > last}
        cut |= {claim.size: claim.source for claim in self._claims if claim.size > last}
        if remembered_position is not None and remembered_position > last:
            cut[remembered_position] = "the database's own sequence"
        if not cut or self.stopped:
            return
        if self._previous is not None and (home := self._rows.find(self._previous, self._expected)):
            self._note(self._expected, moved_to(home))
            self._expected += 1
            return
        furthest = max(cut)
        problem = f"the log ends at {last}, and {cut[furthest]} knows of position {furthest}"
        self.add(last + 1, "cut tail", problem)

    def _note(self, position: int, found: Diagnosis) -> None:
        self.add(position, found.kind, found.text)
        if (other_position := found.other_position) is not None:
            self._explained[other_position] = found.other_hash
            # What stands before the log's first position has been seen already, when nobody knew what it was.
            self.findings = [
                finding
                for finding in self.findings
                if finding.position != other_position or finding.kind != "inserted"
            ]

    def add(self, position: int | None, kind: Kind, problem: str) -> None:
        self.findings.append(Finding(position, kind, problem))

    def report(self) -> Report:
        return Report(
            first=self._first,
            last=self._expected - 1,
            events=self._events,
            chain_hash=self._previous or GENESIS,
            claims=self._claims_held,
            findings=tuple(self.findings),
        )


def _unguarded(ledger: Ledger) -> list[Finding]:
    """The triggers that keep the log append-only are part of what an auditor relies on."""
    with transaction(ledger.engine) as connection:
        if connection.dialect.name != "sqlite":
            return []
        stored = {row.name: row.sql for row in connection.exec_driver_sql(_STORED_TRIGGERS)}
    return [
        Finding(None, "unguarded", f"trigger {name} is {'changed' if name in stored else 'missing'}")
        for name, statement in TRIGGERS.items()
        if stored.get(name) != statement.strip()
    ]
