"""Seals: signed checkpoints of the log, each beside the number of events that it covers. Written once."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from sqlalchemy import Connection, func, insert, select

from ledger.chain import GENESIS
from ledger.engines.database import transaction
from ledger.errors import LedgerError
from ledger.rows import Row, Rows
from ledger.schema import seals as table
from ledger.sealing.checkpoints import CheckpointError, SignedCheckpoint, parse_checkpoint
from ledger.sealing.keys import Signer, Verifier
from ledger.sealing.merkle import CompactRange
from ledger.store import Ledger

SEAL_EVENTS = 1_024
SEAL_IDLE_SECONDS = 60
SLICE_ENTRIES = 200
"""So many are read between two rests."""


def _go_on() -> None:
    """No rest, where no other thread wants the interpreter."""


class SealError(LedgerError):
    """The log cannot be sealed: what is stored does not fit to what was sealed or chained before."""


class Seal(NamedTuple):
    """A stored seal: the signed checkpoint of the first `size` events, and the compact range of their tree."""

    size: int
    checkpoint: bytes
    compact_range: bytes


class Archive(Protocol):
    """A place outside the database that keeps copies of signed checkpoints."""

    def __call__(self, size: int, checkpoint: bytes, /) -> None:
        """Keep the checkpoint over `size` events."""
        ...

    def newest(self, after: int = 0) -> tuple[int, bytes] | None:
        """The (size, checkpoint) of the most events, if they are more than `after`."""
        ...


class Sealer:
    """Seals one log with one key; several processes may do so."""

    def __init__(self, ledger: Ledger, signer: Signer, archive: Archive | None = None) -> None:
        self._ledger = ledger
        self._signer = signer
        self._archive = archive
        self._archived: tuple[int, bytes] | None = None

    def run(self, now_us: int, rest: Callable[[], object] = _go_on) -> Seal | None:
        """Seal what is due at `now_us` (microseconds since the epoch), and archive what the archive lacks.

        `rest` is called every few entries, for a service whose other threads want the interpreter too.
        Due: SEAL_EVENTS or more since the last seal, or SEAL_IDLE_SECONDS since the last event. Raises SealError,
        StorageError and what the archive raises; the next run offers the archive what it has not taken.
        """
        due = self._is_due(now_us)
        if self._archive is not None and (due or self._archived is None):
            self._compare(self._archive)
        new = seal_head(self._ledger, self._signer, rest) if due else None
        if self._archive is not None:
            for seal in read_seals(self._ledger, after=self._archived[0] if self._archived else 0):
                self._archive(seal.size, seal.checkpoint)
                self._archived = (seal.size, seal.checkpoint)
        return new

    def _is_due(self, now_us: int) -> bool:
        last, head = last_seal(self._ledger), self._ledger.head()
        unsealed = head.position - (last.size if last else 0)
        idle = now_us - head.recorded_us >= SEAL_IDLE_SECONDS * 1_000_000
        return unsealed >= SEAL_EVENTS or (unsealed > 0 and idle)

    def _compare(self, archive: Archive) -> None:
        """The archive's newest checkpoint must be among the seals, or nothing is signed.

        A log that was rewritten has a chain that fits, and its writer has taken away the seals that do not.
        Signed with the true key it would be as good as the true one. So there is no sealing either while the
        archive does not answer: the next seal covers what this one would have.
        """
        self._archived = archive.newest(self._archived[0] if self._archived else 0) or self._archived
        if self._archived is None:
            return
        size, checkpoint = self._archived
        stored = {seal.size: seal.checkpoint for seal in read_seals(self._ledger, after=size - 1)}
        if stored.get(size) != checkpoint:
            what = "another seal" if size in stored else "a seal that the ledger lacks,"
            problem = f"the checkpoint archive has {what} over {size} events"
            raise SealError(f"{problem}: run `rps-audit verify` with the archive")


def seal_head(ledger: Ledger, signer: Signer, rest: Callable[[], object] = _go_on) -> Seal | None:
    """Seal everything up to the head; None when it is sealed already. `rest` as in `Sealer.run`. Raises SealError.

    The events since the last seal are read once more and must fit the chain: a broken one is not signed. Nor is
    one whose last seal is by another key: a seal stays for ever, and two keys in one log look like a forgery.
    """
    last = last_seal(ledger)
    tree, previous = _start(ledger, last, signer.verifier)
    head = ledger.head().position
    if head <= tree.size:
        return None
    for page in Rows(ledger.engine).pages(tree.size, head):
        leaves: list[bytes] = []
        for row in map(Row._make, page):
            if row.position != tree.size + len(leaves) + 1 or not row.follows(previous):
                raise SealError(f"position {row.position} does not fit the chain: run `rps-audit verify`")
            leaves.append(row.leaf())
            previous = row.chain_hash
            if row.position % SLICE_ENTRIES == 0:
                rest()
        tree.extend(leaves)
    seal = Seal(tree.size, signer.sign(tree.size, tree.root()), tree.encode())
    with transaction(ledger.engine, write=[table]) as connection:
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


def seal_over(ledger: Ledger, position: int) -> Seal | None:
    """The first seal that covers a position."""
    query = select(table).where(table.c.size >= position).order_by(table.c.size).limit(1)
    with transaction(ledger.engine) as connection:
        row = connection.execute(query).first()
    return Seal._make(row) if row else None


def open_seal(seal: Seal, verifiers: Sequence[Verifier]) -> SignedCheckpoint:
    """The seal's checkpoint, signed by one of the verifiers if there are any. Raises CheckpointError."""
    return open_checkpoint(seal.checkpoint, verifiers)[0]


def open_checkpoint(signed: bytes, verifiers: Sequence[Verifier]) -> tuple[SignedCheckpoint, str]:
    """The checkpoint, and the key that has signed it: as verified, or as it says where there is no verifier."""
    problem = CheckpointError("it is no checkpoint")
    for verifier in verifiers:
        try:
            return verifier.open(signed), verifier.label
        except CheckpointError as error:
            problem = error
    if verifiers:
        raise problem
    opened = parse_checkpoint(signed)
    return opened, ", ".join(one.signer for one in opened.signatures)


def _start(ledger: Ledger, last: Seal | None, verifier: Verifier) -> tuple[CompactRange, bytes]:
    """The tree and the chain hash at the last seal, which must be by the same key."""
    if last is None:
        return CompactRange(), GENESIS
    row = Rows(ledger.engine).at(last.size)
    try:
        tree = CompactRange.decode(last.size, last.compact_range)
        sound = tree.root() == verifier.open(last.checkpoint).checkpoint.root
    except ValueError as error:
        raise SealError(f"the seal over {last.size} events is damaged: {error}") from error
    except CheckpointError as error:
        raise SealError(f"the seal over {last.size} events cannot be built upon: {error}") from error
    if row is None or not sound:
        raise SealError(f"the seal over {last.size} events does not fit the log: run `rps-audit verify`")
    return tree, row.chain_hash


def _last_size(connection: Connection) -> int:
    return connection.scalar(select(func.max(table.c.size))) or 0
