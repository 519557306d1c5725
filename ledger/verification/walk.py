"""Verification: recompute the chain from the stored bytes, and say where it breaks and what was done there."""

import struct
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

from ledger.chain import GENESIS, stored_leaf
from ledger.errors import DamagedError, LedgerError
from ledger.rows import RawRow, Row, Rows
from ledger.sealing.merkle import CompactRange
from ledger.store import Ledger
from ledger.verification.diagnosis import Diagnosis, diagnose_gap, diagnose_row, moved_to
from ledger.verification.findings import Finding, Kind
from ledger.verification.integrity import unguarded

FINDINGS_MAX = 10
"""After so many the walk stops: a log that was renumbered differs at every position."""


class Anchor(NamedTuple):
    """A chain hash that was written down elsewhere."""

    position: int
    chain_hash: bytes


class AnchorError(LedgerError):
    """An anchor of which the verification would see nothing."""

    def __init__(self, position: int, first: int) -> None:
        super().__init__(
            f"the anchor at position {position} says nothing of positions {first} and later:"
            f" verify from {position + 1} or before"
        )
        self.position = position
        self.first = first


class Claim(NamedTuple):
    """What a checkpoint says: the Merkle root over the first `size` entries, and who says so."""

    size: int
    root: bytes
    source: str


class VerificationReport(msgspec.Struct, frozen=True):
    """The outcome of a verification of the positions `first` to `last`."""

    first: int
    last: int
    events: int
    chain_hash: bytes
    claims: int
    findings: tuple[Finding, ...]
    unchecked_from: int | None = None
    """The position from which on nothing was looked at, where the walk stopped before the head."""
    seals: int = 0
    archived: int = msgspec.field(default=0, name="witnessed")
    signers: tuple[str, ...] = ()
    """The keys whose signatures hold, by name and id."""

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
) -> VerificationReport:
    """Verify the entries from position `first` to the head, as the head is now.

    With `first` above 1 the chain hash before it is taken on trust, unless an anchor speaks of it, and claims,
    which are about the whole log, are not looked at. `progress` hears the number of entries checked since its last
    call. Raises AnchorError, StorageError; a damaged file is a finding.
    """
    for anchor in anchors:
        if anchor.position < first - 1:
            raise AnchorError(anchor.position, first)
    rows = Rows(ledger.engine)
    walk = _Walk(rows, first, anchors, claims if first == 1 else ())
    try:
        extent = rows.extent()
        walk.begin(extent.last_position)
        for page in rows.pages(None if first == 1 else first - 1, extent.last_position):
            walk.check(page)
            if progress is not None:
                progress(len(page))
            if walk.stopped:
                break
        else:
            walk.end(extent.remembered_position)
        walk.findings += unguarded(ledger.engine)
    except DamagedError as error:
        walk.add(None, "damaged", error.problem)
        walk.stopped = True
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
        self._head = 0
        self._anchors: dict[int, list[bytes]] = {}
        for anchor in anchors:
            self._anchors.setdefault(anchor.position, []).append(anchor.chain_hash)
        self._edge = CompactRange()
        self._claims = sorted(claims, reverse=True)  # the next one is the last
        self._claims_held = 0
        self._held_sizes: dict[str, int] = {}

    def begin(self, head: int) -> None:
        self._head = head
        trusted = self._first - 1
        anchored = self._anchors.get(trusted, [])
        if trusted:
            before = self._rows.at(trusted)
            if before is None or before.misfit():
                self.add(trusted, "missing", "no event stands there whose hash could be taken on trust")
                self._previous = anchored[0] if anchored else None
            else:
                self._previous = before.chain_hash
        if anchored and self._previous is not None:
            self._check_anchors(trusted, self._previous)

    def check(self, page: list[RawRow]) -> None:
        """The fast way: as long as everything fits, nothing but two hashes and three comparisons a row."""
        previous, expected, recorded_us = self._previous, self._expected, self._recorded_us
        versions, anchors, claimed = self._versions, self._anchors, bool(self._claims)
        leaves: list[bytes] = []
        for position, event_id, stream, version, kind, schema_version, time_us, payload, chain_hash in page:
            try:
                leaf = stored_leaf(position, event_id, stream, version, kind, schema_version, time_us, payload)
                fits = previous is not None and sha256(previous + leaf).digest() == chain_hash
                known = versions.get(stream, 0) if self._first == 1 else versions.get(stream, version - 1)
            except (TypeError, struct.error):
                leaf, fits, known = bytes(32), False, 0
            if position == expected and fits and version == known + 1 and time_us >= recorded_us:
                previous = chain_hash
                expected += 1
            else:
                row = Row(position, event_id, stream, version, kind, schema_version, time_us, payload, chain_hash)
                self._previous, self._expected, self._recorded_us = previous, expected, recorded_us
                self._check_claims(leaves)  # what fits until here is worth to know
                leaves = []
                belongs = self._look_closer(row, known)
                previous, expected = self._previous, self._expected
                if self.stopped:
                    return
                if not belongs:
                    continue
            if anchors and position in anchors:
                self._check_anchors(position, chain_hash)
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
        self._step_over_gap(row)
        if self.stopped:
            return False
        if column := row.misfit():
            self.add(row.position, "edited", f"column {column}: what it holds is not of its type")
            self._previous, self._expected = None, row.position + 1
            return False
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
        return True

    def _step_over_gap(self, row: Row) -> None:
        """Name what is missing before a row, each event that has moved from there by itself."""
        while row.position > self._expected and not self.stopped:
            if self._previous is None:
                missing = row.position - self._expected
                self.add(self._expected, "missing", f"{missing} event{'s' * (missing > 1)} before {row.position}")
                self._expected = row.position
                return
            found = diagnose_gap(self._rows, self._previous, self._expected, row.position)
            self._note(self._expected, found)
            self._expected = self._expected + 1 if found.kind == "moved" else row.position
            self._previous = found.next_hash

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

    def _check_anchors(self, position: int, chain_hash: bytes) -> None:
        for expected in self._anchors.pop(position):
            if chain_hash != expected:
                problem = f"the chain hash is {chain_hash.hex()}, not the expected {expected.hex()}"
                self.add(position, "unexpected hash", problem)

    def _check_claims(self, leaves: list[bytes]) -> None:
        """Extend the Merkle tree, stopping at each size that a checkpoint speaks of."""
        if not self._claims or self.findings:
            return  # after the first break every root is another one, which says nothing new
        start = 0
        while self._claims and (stop := self._claims[-1].size - self._edge.size) <= len(leaves) - start:
            claim = self._claims.pop()
            self._edge.extend(leaves[start : start + stop])
            start += stop
            if self._edge.root() != claim.root:
                since = self._held_sizes.get(claim.source, 0) + 1
                where = f"position {since}" if since == claim.size else f"positions {since} to {claim.size}"
                problem = f"{claim.source} over {claim.size} events has another root: {where} were rewritten"
                self.add(claim.size, "rewritten", problem)
                return
            self._claims_held += 1
            self._held_sizes[claim.source] = claim.size
        self._edge.extend(leaves[start:])

    def end(self, remembered_position: object) -> None:
        """What only the end of the log can show: whether there was ever more."""
        last, remembered = self._expected - 1, self._check_sequence(remembered_position)
        cut = {anchor: "an anchor" for anchor in self._anchors if anchor > last}
        cut |= {claim.size: claim.source for claim in self._claims if claim.size > last}
        if remembered > last:
            cut[remembered] = "the database's own sequence"
        if not cut or self.stopped:
            return
        if self._previous is not None and (home := self._rows.find(self._previous, self._expected)):
            self._note(self._expected, moved_to(home))
            self._expected += 1
            return
        furthest = max(cut)
        problem = f"the log ends at {last}, and {cut[furthest]} knows of position {furthest}"
        self.add(last + 1, "cut tail", problem)

    def _check_sequence(self, remembered_position: object) -> int:
        """How far the log has gone, as the database remembers it; 0 where it was made to forget, a finding."""
        if isinstance(remembered_position, int) and remembered_position >= self._head:
            return remembered_position
        if self._head:
            said = "nothing" if remembered_position is None else repr(remembered_position)
            problem = f"the log ends at {self._head}, and the database's own sequence remembers {said}"
            self.add(None, "damaged", problem)
        return 0

    def _note(self, position: int, found: Diagnosis) -> None:
        self.add(position, found.kind, found.text)
        if (other_position := found.other_position) is not None:
            self._explained[other_position] = found.other_hash
            # What stands before the log's first position was met first, when it could not be explained.
            self.findings = [
                finding
                for finding in self.findings
                if finding.position != other_position or finding.kind != "inserted"
            ]

    def add(self, position: int | None, kind: Kind, problem: str) -> None:
        self.findings.append(Finding(position, kind, problem))
        self.stopped |= len(self.findings) >= FINDINGS_MAX

    def report(self) -> VerificationReport:
        return VerificationReport(
            first=self._first,
            last=self._expected - 1,
            events=self._events,
            chain_hash=self._previous or GENESIS,
            claims=self._claims_held,
            findings=tuple(self.findings),
            unchecked_from=self._expected if self.stopped and self._expected <= self._head else None,
        )
