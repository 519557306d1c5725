"""Seals: signed checkpoints of the log, each beside the number of events that it covers. Written once."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from msgspec import structs
from sqlalchemy import Connection, func, insert, select

from ledger.chain import GENESIS
from ledger.engines.sqlite import transaction
from ledger.errors import DamagedError, LedgerError
from ledger.rows import Row, Rows
from ledger.schema import seals as table
from ledger.sealing.checkpoints import Note, NoteError, parse_note
from ledger.sealing.keys import Signer, Verifier
from ledger.sealing.merkle import Edge
from ledger.store import Ledger
from ledger.verification.findings import Finding
from ledger.verification.integrity import damages
from ledger.verification.walk import Anchor, Claim, Report, verify

SEAL_EVENTS = 1_024
SEAL_IDLE_SECONDS = 60


class SealError(LedgerError):
    """The log cannot be sealed: what is stored does not fit to what was sealed or chained before."""


class Seal(NamedTuple):
    """A stored seal: the note over the first `size` events, and the edge of their Merkle tree."""

    size: int
    note: bytes
    edge: bytes


class CheckpointArchive(Protocol):
    """A place outside the database where notes are kept."""

    def __call__(self, size: int, note: bytes) -> None:
        """Keep the note over `size` events."""
        ...

    def newest(self, after: int = 0) -> tuple[int, bytes] | None:
        """The (size, note) of the most events, if they are more than `after`."""
        ...


class Sealer:
    """Seals one log with one key; several processes may do so."""

    def __init__(self, ledger: Ledger, signer: Signer, archive: CheckpointArchive | None = None) -> None:
        self._ledger = ledger
        self._signer = signer
        self._archive = archive
        self._archived: tuple[int, bytes] | None = None

    def run(self, now_us: int) -> Seal | None:
        """Seal what is due at `now_us` (microseconds since the epoch), and show the witness what it has not seen.

        Due: SEAL_EVENTS or more since the last seal, or SEAL_IDLE_SECONDS since the last event. Raises SealError,
        StorageError and whatever the witness raises; what it has not taken it is shown again.
        """
        due = self._is_due(now_us)
        if self._archive is not None and (due or self._archived is None):
            self._compare(self._archive)
        new = seal_head(self._ledger, self._signer) if due else None
        if self._archive is not None:
            for seal in read_seals(self._ledger, after=self._archived[0] if self._archived else 0):
                self._archive(seal.size, seal.note)
                self._archived = (seal.size, seal.note)
        return new

    def _is_due(self, now_us: int) -> bool:
        last, head = last_seal(self._ledger), self._ledger.head()
        unsealed = head.position - (last.size if last else 0)
        idle = now_us - head.recorded_us >= SEAL_IDLE_SECONDS * 1_000_000
        return unsealed >= SEAL_EVENTS or (unsealed > 0 and idle)

    def _compare(self, archive: CheckpointArchive) -> None:
        """The witness's newest note must be among the seals, or nothing is signed.

        A log that was written anew has a chain that fits, and whoever wrote it took away the seals that do not.
        Signed with the true key it would be as good as the true one. So there is no sealing either while the
        witness cannot be asked: the next seal covers what this one would have.
        """
        self._archived = archive.newest(self._archived[0] if self._archived else 0) or self._archived
        if self._archived is None:
            return
        size, note = self._archived
        stored = {seal.size: seal.note for seal in read_seals(self._ledger, after=size - 1)}
        if stored.get(size) != note:
            what = "another seal" if size in stored else "a seal that the ledger lacks,"
            raise SealError(f"the witness has {what} over {size} events: run `rps-audit verify` with the witness")


def seal_head(ledger: Ledger, signer: Signer) -> Seal | None:
    """Seal everything up to the head; None when it is sealed already. Raises SealError.

    The events since the last seal are read once more and must fit the chain: a broken one is not signed. Nor is
    one whose last seal is by another key: a seal stays for ever, and two keys in one log look like a forgery.
    """
    last = last_seal(ledger)
    edge, previous = _start(ledger, last, signer.verifier)
    head = ledger.head().position
    if head <= edge.size:
        return None
    for page in Rows(ledger.engine).pages(edge.size, head):
        leaves: list[bytes] = []
        for row in map(Row._make, page):
            if row.position != edge.size + len(leaves) + 1 or not row.follows(previous):
                raise SealError(f"position {row.position} does not fit the chain: run `rps-audit verify`")
            leaves.append(row.leaf())
            previous = row.chain_hash
        edge.extend(leaves)
    seal = Seal(edge.size, signer.sign(edge.size, edge.root()), edge.encode())
    with transaction(ledger.engine, write=True) as connection:
        if _last_size(connection) >= seal.size:
            return None  # another process was faster
        connection.execute(insert(table).values(seal._asdict()))
    return seal


def read_seals(ledger: Ledger, after: int | None = None) -> list[Seal]:
    """The stored seals, or those over more than `after` events, by size."""
    query = select(table).order_by(table.c.size)
    with transaction(ledger.engine) as connection:
        found = connection.execute(query if after is None else query.where(table.c.size > after))
        return [Seal._make(row) for row in found]


def last_seal(ledger: Ledger) -> Seal | None:
    """The newest seal."""
    with transaction(ledger.engine) as connection:
        row = connection.execute(select(table).order_by(table.c.size.desc()).limit(1)).first()
    return Seal._make(row) if row else None


def audit(
    ledger: Ledger,
    *,
    verifiers: Sequence[Verifier] = (),
    archived: Sequence[tuple[int, bytes]] = (),
    first: int = 1,
    anchors: Sequence[Anchor] = (),
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Verify chain, seals and the database's own structures.

    `witnessed` are (size, note) as a witness outside the database has them. They must have been read before this
    is called: a seal goes to the table first, so that what is sealed meanwhile is not missed there.
    """
    damaged: list[Finding] = []
    try:
        seals = read_seals(ledger)
    except DamagedError as error:
        seals = []
        damaged = [Finding(None, "damaged", f"the seals cannot be read: {error.problem}")]
    stored, kept = check_seals(seals, verifiers), check_notes(archived, verifiers, "the witness's seal")
    claims = (*stored.claims, *kept.claims)
    report = verify(ledger, first=first, anchors=anchors, claims=claims, progress=progress)
    missing = [] if damaged else missing_seals(seals, archived)
    found = (*report.findings, *missing, *stored.findings, *kept.findings, *damaged, *damages(ledger.engine))
    return structs.replace(
        report,
        findings=tuple(dict.fromkeys(found)),  # a damage may have been met twice
        seals=len(seals),
        archived=len(archived),
        signers=tuple(sorted({*stored.signers, *kept.signers})),
    )


class Checked(NamedTuple):
    """What notes claim of the log, what is wrong with the notes themselves, and the keys that signed them."""

    claims: list[Claim]
    findings: list[Finding]
    signers: set[str]


def check_seals(seals: Sequence[Seal], verifiers: Sequence[Verifier]) -> Checked:
    """The seals' notes and edges. Without verifiers the signatures stay unchecked, but must all be by one key."""
    checked = check_notes([(seal.size, seal.note) for seal in seals], verifiers, "the seal")
    roots = {claim.size: claim.root for claim in checked.claims}
    for seal in seals:
        try:
            fits = Edge.decode(seal.size, seal.edge).root() == roots.get(seal.size, b"")
        except ValueError:
            fits = False
        if seal.size in roots and not fits:
            problem = f"the seal over {seal.size} events has an edge that does not lead to its root"
            checked.findings.append(Finding(seal.size, "bad seal", problem))
    return checked


def check_notes(notes: Iterable[tuple[int, bytes]], verifiers: Sequence[Verifier], source: str) -> Checked:
    """As `check_seals`, of notes that are said to be over so many events each."""
    claims: list[Claim] = []
    findings: list[Finding] = []
    signers: set[str] = set()
    for size, note in notes:
        try:
            opened, signer = _opened(note, verifiers)
        except NoteError as error:
            findings.append(Finding(size, "bad seal", f"{source} over {size} events: {error}"))
            continue
        signers.add(signer)
        if opened.checkpoint.size != size:
            problem = f"{source} stored for {size} events is over {opened.checkpoint.size}"
            findings.append(Finding(size, "bad seal", problem))
            continue
        claims.append(Claim(size, opened.checkpoint.root, source))
        if not verifiers and len(signers) > 1:
            problem = f"{source} over {size} events is signed by another key than those before"
            findings.append(Finding(size, "bad seal", problem))
            break
    return Checked(claims, findings, signers)


def missing_seals(seals: Sequence[Seal], archived: Sequence[tuple[int, bytes]]) -> list[Finding]:
    """What the witness has and the table has not: seals are never taken away, so somebody did."""
    stored = {seal.size for seal in seals}
    missing = sorted(size for size, _note in archived if size not in stored)
    if not missing:
        return []
    several = f"{len(missing)} of the witness's seals, the last one over {missing[-1]} events, are"
    what = several if len(missing) > 1 else f"the witness's seal over {missing[0]} events is"
    return [Finding(missing[0], "missing seal", f"{what} not in the ledger")]


def open_seal(seal: Seal, verifiers: Sequence[Verifier]) -> Note:
    """The seal's note, signed by one of the verifiers if there are any. Raises NoteError."""
    return _opened(seal.note, verifiers)[0]


def _opened(note: bytes, verifiers: Sequence[Verifier]) -> tuple[Note, str]:
    """The note, and the key that it says or is known to be signed by."""
    problem = NoteError("it is no checkpoint")
    for verifier in verifiers:
        try:
            return verifier.open(note), verifier.label
        except NoteError as error:
            problem = error
    if verifiers:
        raise problem
    opened = parse_note(note)
    return opened, ", ".join(one.signer for one in opened.signatures)


def _start(ledger: Ledger, last: Seal | None, verifier: Verifier) -> tuple[Edge, bytes]:
    """The tree and the chain hash at the last seal, which must be by the same key."""
    if last is None:
        return Edge(), GENESIS
    row = Rows(ledger.engine).at(last.size)
    try:
        edge = Edge.decode(last.size, last.edge)
        sound = edge.root() == verifier.open(last.note).checkpoint.root
    except ValueError as error:
        raise SealError(f"the seal over {last.size} events is damaged: {error}") from error
    except NoteError as error:
        raise SealError(f"the seal over {last.size} events cannot be built upon: {error}") from error
    if row is None or not sound:
        raise SealError(f"the seal over {last.size} events does not fit the log: run `rps-audit verify`")
    return edge, row.chain_hash


def _last_size(connection: Connection) -> int:
    return connection.scalar(select(func.max(table.c.size))) or 0
