"""Seals: signed checkpoints of the log, each beside the number of events that it covers. Written once."""

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from msgspec import structs
from sqlalchemy import Connection, func, insert, select

from ledger.audit import Anchor, Claim, Finding, Report, verify
from ledger.chain import GENESIS, link
from ledger.engines import transaction
from ledger.errors import LedgerError, StorageError
from ledger.merkle import Edge
from ledger.notes import Note, NoteError, parse_note
from ledger.rows import Row, Rows
from ledger.schema import seals as table
from ledger.seal import Signer, Verifier
from ledger.store import Ledger

SEAL_EVENTS = 1_024
SEAL_IDLE_SECONDS = 60


class SealError(LedgerError):
    """The log cannot be sealed: what is stored does not fit to what was sealed or chained before."""


class Seal(NamedTuple):
    """A stored seal: the note over the first `size` events, and the edge of their Merkle tree."""

    size: int
    note: bytes
    edge: bytes


Witness = Callable[[int, bytes], None]
"""Takes (size, note) to a place outside the database."""


class Sealer:
    """Seals one log with one key; several processes may do so."""

    def __init__(self, ledger: Ledger, signer: Signer, witness: Witness | None = None) -> None:
        self._ledger = ledger
        self._signer = signer
        self._witness = witness
        self._witnessed_size = 0

    def run(self, now_us: int, *, wait: bool = True) -> Seal | None:
        """Seal what is due at `now_us` (microseconds since the epoch), and show the witness what it has not seen.

        Due: SEAL_EVENTS or more since the last seal, or SEAL_IDLE_SECONDS since the last event, or anything at all
        without `wait`. Raises SealError,
        StorageError and whatever the witness raises; what it has not taken it is shown again.
        """
        last = last_seal(self._ledger)
        sealed = last.size if last else 0
        head = self._ledger.head()
        idle = now_us - head.recorded_us >= SEAL_IDLE_SECONDS * 1_000_000
        new = None
        if head.position - sealed >= SEAL_EVENTS or (head.position > sealed and (idle or not wait)):
            new = seal_head(self._ledger, self._signer)
        if self._witness is not None:
            for seal in read_seals(self._ledger, after=self._witnessed_size):
                self._witness(seal.size, seal.note)
                self._witnessed_size = seal.size
        return new


def seal_head(ledger: Ledger, signer: Signer) -> Seal | None:
    """Seal everything up to the head; None when it is sealed already. Raises SealError.

    The events since the last seal are read once more and must fit the chain: a broken one is not signed.
    """
    last = last_seal(ledger)
    edge, previous = _start(ledger, last)
    head = ledger.head().position
    if head <= edge.size:
        return None
    for page in Rows(ledger.engine).pages(edge.size, head):
        leaves: list[bytes] = []
        for row in map(Row._make, page):
            try:
                leaf = row.leaf()
            except (TypeError, struct.error):
                leaf = b""
            if row.position != edge.size + len(leaves) + 1 or link(previous, leaf) != row.chain_hash:
                raise SealError(f"position {row.position} does not fit the chain: `rps-audit verify` says more")
            leaves.append(leaf)
            previous = row.chain_hash
        edge.extend(leaves)
    seal = Seal(edge.size, signer.sign(edge.size, edge.root()), edge.encode())
    with transaction(ledger.engine, write=True) as connection:
        if _last_size(connection) >= seal.size:
            return None  # another process was faster
        connection.execute(insert(table).values(seal._asdict()))
    return seal


def read_seals(ledger: Ledger, after: int = 0) -> list[Seal]:
    """The stored seals over more than `after` events, by size."""
    with transaction(ledger.engine) as connection:
        found = connection.execute(select(table).where(table.c.size > after).order_by(table.c.size))
        return [Seal._make(row) for row in found]


def last_seal(ledger: Ledger, covering: int = 0) -> Seal | None:
    """The newest seal, if it covers position `covering`."""
    with transaction(ledger.engine) as connection:
        row = connection.execute(select(table).order_by(table.c.size.desc()).limit(1)).first()
    return Seal._make(row) if row and row.size >= covering else None


def audit(
    ledger: Ledger,
    *,
    verifiers: Sequence[Verifier] = (),
    witnessed: Iterable[tuple[int, bytes]] = (),
    first: int = 1,
    anchors: Sequence[Anchor] = (),
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Verify chain and seals together; `witnessed` are (size, note) as a witness outside the database has them."""
    try:
        claims, findings = check_seals(read_seals(ledger), verifiers)
    except StorageError as error:
        claims, findings = [], [Finding(None, "damaged", str(error))]
    witness_claims, witness_findings = check_notes(witnessed, verifiers, "the witness's seal")
    claims += witness_claims
    report = verify(ledger, first=first, anchors=anchors, claims=claims, progress=progress)
    return structs.replace(report, findings=(*report.findings, *findings, *witness_findings))


def check_seals(seals: Sequence[Seal], verifiers: Sequence[Verifier]) -> tuple[list[Claim], list[Finding]]:
    """What the seals claim of the log, and what is wrong with the seals themselves.

    Without verifiers the signatures stay unchecked, but all of them must be by one key.
    """
    claims, findings = check_notes([(seal.size, seal.note) for seal in seals], verifiers, "the seal")
    roots = {claim.size: claim.root for claim in claims}
    for seal in seals:
        try:
            fits = Edge.decode(seal.size, seal.edge).root() == roots.get(seal.size, b"")
        except ValueError:
            fits = False
        if seal.size in roots and not fits:
            problem = f"the seal over {seal.size} events has an edge that does not lead to its root"
            findings.append(Finding(seal.size, "bad seal", problem))
    return claims, findings


def check_notes(
    notes: Iterable[tuple[int, bytes]], verifiers: Sequence[Verifier], source: str
) -> tuple[list[Claim], list[Finding]]:
    """As `check_seals`, of notes that are said to be over so many events each."""
    claims: list[Claim] = []
    findings: list[Finding] = []
    signers: set[tuple[str, bytes]] = set()
    for size, note in notes:
        try:
            opened = _opened(note, verifiers)
        except NoteError as error:
            findings.append(Finding(size, "bad seal", f"{source} over {size} events: {error}"))
            continue
        signers |= {(one.key_name, one.key_id) for one in opened.signatures}
        if opened.checkpoint.size != size:
            problem = f"{source} stored for {size} events is over {opened.checkpoint.size}"
            findings.append(Finding(size, "bad seal", problem))
            continue
        claims.append(Claim(size, opened.checkpoint.root, source))
        if not verifiers and len(signers) > 1:
            problem = f"{source} over {size} events is signed by another key than those before"
            findings.append(Finding(size, "bad seal", problem))
            break
    return claims, findings


def _opened(note: bytes, verifiers: Sequence[Verifier]) -> Note:
    if not verifiers:
        return parse_note(note)
    problem = NoteError("it is no checkpoint")
    for verifier in verifiers:
        try:
            return verifier.open(note)
        except NoteError as error:
            problem = error
    raise problem


def _start(ledger: Ledger, last: Seal | None) -> tuple[Edge, bytes]:
    """The tree and the chain hash at the last seal."""
    if last is None:
        return Edge(), GENESIS
    row = Rows(ledger.engine).at(last.size)
    try:
        edge = Edge.decode(last.size, last.edge)
        sound = edge.root() == parse_note(last.note).checkpoint.root
    except (ValueError, NoteError) as error:
        raise SealError(f"the seal over {last.size} events is damaged: {error}") from error
    if row is None or not sound:
        raise SealError(f"the seal over {last.size} events does not fit the log: `rps-audit verify` says more")
    return edge, row.chain_hash


def _last_size(connection: Connection) -> int:
    return connection.scalar(select(func.max(table.c.size))) or 0
