"""Change a ledger in every way that an intruder with the file can, and see that `verify` names each change.

`python -m tests.mutations` flips 10,000 sampled bits and makes every structural change; it prints what was
found, placed and named, and exits 1 when anything went unseen.
"""

import random
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.ledgers import bootstrap, empty_ledger, fill_with_games
from ledger.chain import link
from ledger.engines.database import open_engine, open_reader
from ledger.guards import SQLITE as TRIGGERS
from ledger.rows import Row
from ledger.sealing.keys import Signer
from ledger.sealing.seals import Seal, read_seals, seal_head
from ledger.store import Ledger
from ledger.verification.audit import audit
from ledger.verification.findings import Finding
from ledger.verification.walk import Anchor

FLIPS = 10_000
EVENTS = 300
COLUMNS = Row._fields
TEXT_COLUMNS = ("event_id", "stream", "type")
SIGNER = Signer("promotion-ledger/bench", bytes(32))
STRANGER = Signer("promotion-ledger/bench", bytes([1] * 32))
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM events ORDER BY position"


class Flip(NamedTuple):
    """One bit of one column of one row."""

    position: int
    column: str
    bit: int


class Outcome(NamedTuple):
    """What `verify` made of a flip: refused by the database itself, found, placed right, its column named."""

    refused: bool
    found: bool
    placed: bool
    named: bool


class Vandal:
    """An intruder who can write the database file, and has taken its triggers away."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA synchronous = OFF")
        self.connection.text_factory = bytes
        for trigger in TRIGGERS:
            self.connection.execute(f"DROP TRIGGER {trigger}")
        self._reader = open_reader(f"sqlite:///{path}")
        self._writer = open_engine(f"sqlite:///{path}")
        self.ledger = Ledger(self._reader)
        self.writable = Ledger(self._writer)

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()
        self._reader.dispose()
        self._writer.dispose()

    def rows(self) -> list[Row]:
        """Every row as it is stored."""
        return [Row._make(row) for row in self.connection.execute(_SELECT)]

    def rewrite(self, rows: Sequence[Row]) -> None:
        """Have exactly these rows, and a sequence that goes no further."""
        self.connection.execute("BEGIN")
        self.connection.execute("DELETE FROM events")
        self.connection.executemany(
            "INSERT INTO events VALUES (?, CAST(? AS TEXT), CAST(? AS TEXT), ?, CAST(? AS TEXT), ?, ?, ?, ?)", rows
        )
        self.connection.execute("UPDATE sqlite_sequence SET seq = (SELECT max(position) FROM events)")
        self.connection.execute("COMMIT")

    def loosen(self) -> None:
        """Have a table that takes anything, as an intruder who can write the schema does."""
        self.connection.execute("PRAGMA writable_schema = ON")
        for words in (" NOT NULL", "STRICT"):
            self.connection.execute("UPDATE sqlite_master SET sql = replace(sql, ?, '')", (words,))
        self.connection.execute("PRAGMA writable_schema = RESET")

    def set(self, position: int, column: str, value: int | bytes) -> None:
        """Write one column of one row."""
        stored = "CAST(? AS TEXT)" if column in TEXT_COLUMNS else "?"
        self.connection.execute(f"UPDATE events SET {column} = {stored} WHERE position = ?", (value, position))

    def reseal(self, *seals: Seal) -> None:
        """Have exactly these seals."""
        self.connection.execute("DELETE FROM seals")
        self.connection.executemany("INSERT INTO seals VALUES (?, ?, ?)", seals)

    def findings(
        self, anchors: Sequence[Anchor] = (), archived: Sequence[tuple[int, bytes]] = ()
    ) -> list[Finding]:
        """What an auditor who has the key finds, but for the missing triggers, which alone would give all away."""
        report = audit(self.ledger, verifiers=[SIGNER.verifier], anchors=anchors, archived=archived)
        return [finding for finding in report.findings if finding.kind != "unguarded"]


def flip_and_verify(vandal: Vandal, row: Row, flip: Flip) -> Outcome:
    """Flip the bit, verify, and flip it back."""
    before: int | bytes = getattr(row, flip.column)
    after = flipped(before, flip.bit)
    try:
        vandal.set(row.position, flip.column, after)
    except (sqlite3.IntegrityError, OverflowError):
        return Outcome(refused=True, found=False, placed=False, named=False)
    findings = vandal.findings()
    where = after if flip.column == "position" else row.position
    assert isinstance(where, int)
    vandal.set(where, flip.column, before)
    first = min(findings, key=lambda finding: finding.position or sys.maxsize, default=None)
    placed = first is not None and first.position == row.position
    named = placed and any(f"column {flip.column}" in finding.problem for finding in findings)
    return Outcome(False, bool(findings), placed, named)


def flipped(value: int | bytes, bit: int) -> int | bytes:
    """The value with one bit changed; integers have 64, the highest of which is the sign."""
    if isinstance(value, int):
        unsigned = (value % 2**64) ^ 1 << bit
        return unsigned - 2**64 if unsigned >= 2**63 else unsigned
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def sampled_flips(rows: Sequence[Row], count: int, rng: random.Random) -> Iterator[tuple[Row, Flip]]:
    """`count` flips, every column as often as any other."""
    for number in range(count):
        row, column = rng.choice(rows), COLUMNS[number % len(COLUMNS)]
        value: int | bytes = getattr(row, column)
        bits = 64 if isinstance(value, int) else 8 * len(value)
        yield row, Flip(row.position, column, rng.randrange(bits))


def rechained(rows: Sequence[Row]) -> list[Row]:
    """The rows at dense positions with hashes that fit: what an intruder who knows the chain would write."""
    previous, fitting = bytes(32), []
    for position, row in enumerate(rows, start=1):
        columns = row._replace(position=position)
        previous = link(previous, columns.leaf())
        fitting.append(columns._replace(chain_hash=previous))
    return fitting


def renumbered(rows: Sequence[Row]) -> list[Row]:
    """The rows at dense positions, with the hashes that they had."""
    return [row._replace(position=position) for position, row in enumerate(rows, start=1)]


def extra_row(row: Row, version: int = 1) -> Row:
    """A believable event that never happened."""
    event_id = f"00000000-0000-7000-8000-{version:012}".encode()
    columns = row._replace(event_id=event_id, stream=b"game-never", version=version)
    return columns._replace(chain_hash=link(bytes(32), columns.leaf()))


def with_extra(rows: Sequence[Row], after: int, count: int) -> list[Row]:
    """The rows with `count` extra ones after a position, at dense positions with the hashes that they had."""
    extra = [extra_row(rows[after - 1], version) for version in range(1, count + 1)]
    return renumbered([*rows[:after], *extra, *rows[after:]])


def exchanged(rows: Sequence[Row], one: int, other: int, *, with_hash: bool) -> list[Row]:
    """Two rows in each other's place."""
    changed = list(rows)
    for here, there in ((one, other), (other, one)):
        moved = rows[there - 1]._replace(position=here)
        changed[here - 1] = moved if with_hash else moved._replace(chain_hash=rows[here - 1].chain_hash)
    return changed


class Change(NamedTuple):
    """A structural change: what the rows become, and the first finding that is expected of it."""

    name: str
    rows: Callable[[list[Row]], list[Row]]
    kind: str
    position: int


def changes(count: int) -> list[Change]:
    """Every structural change of a log with `count` events that is sealed through its end."""
    middle, last = count // 2, count
    return [
        Change("delete the first", lambda rows: rows[1:], "missing", 1),
        Change("delete one", lambda rows: rows[: middle - 1] + rows[middle:], "missing", middle),
        Change("delete three", lambda rows: rows[: middle - 1] + rows[middle + 2 :], "missing", middle),
        Change(
            "delete one, renumber",
            lambda rows: renumbered(rows[: middle - 1] + rows[middle:]),
            "renumbered",
            middle,
        ),
        Change(
            "delete one, renumber, chain again",
            lambda rows: rechained(rows[: middle - 1] + rows[middle:]),
            "out of order",
            0,
        ),
        Change("insert one, renumber", lambda rows: with_extra(rows, middle, 1), "inserted", middle + 1),
        Change("insert two, renumber", lambda rows: with_extra(rows, middle, 2), "inserted", middle + 1),
        Change("insert many, renumber", lambda rows: with_extra(rows, middle, 40), "inserted", middle + 1),
        Change("insert two before the last", lambda rows: with_extra(rows, last - 1, 2), "inserted", last),
        Change(
            "move one to the end, renumber",
            lambda rows: renumbered([*rows[: middle - 1], *rows[middle:], rows[middle - 1]]),
            "moved",
            middle,
        ),
        Change(
            "insert one, chain again",
            lambda rows: rechained([*rows[:middle], extra_row(rows[middle]), *rows[middle:]]),
            "rewritten",
            last,
        ),
        Change(
            "insert below the first",
            lambda rows: [extra_row(rows[0])._replace(position=0), *rows],
            "inserted",
            0,
        ),
        Change(
            "insert beyond the end",
            lambda rows: [*rows, extra_row(rows[0])._replace(position=last + 5)],
            "missing",
            last + 1,
        ),
        Change(
            "swap neighbours", lambda rows: exchanged(rows, middle, middle + 1, with_hash=True), "swapped", middle
        ),
        Change("swap far apart", lambda rows: exchanged(rows, 2, last - 1, with_hash=True), "swapped", 2),
        Change("swap first and last", lambda rows: exchanged(rows, 1, last, with_hash=True), "swapped", 1),
        Change(
            "swap all but the hashes", lambda rows: exchanged(rows, 2, last - 1, with_hash=False), "swapped", 2
        ),
        Change(
            "swap neighbours but for their hashes",
            lambda rows: exchanged(rows, middle, middle + 1, with_hash=False),
            "swapped",
            middle,
        ),
        Change(
            "swap the last two", lambda rows: exchanged(rows, last - 1, last, with_hash=True), "swapped", last - 1
        ),
        Change(
            "swap the last two but for their hashes",
            lambda rows: exchanged(rows, last - 1, last, with_hash=False),
            "swapped",
            last - 1,
        ),
        Change("cut one off", lambda rows: rows[:-1], "cut tail", last),
        Change("cut half off", lambda rows: rows[:middle], "cut tail", middle + 1),
        Change("cut everything off", lambda _rows: [], "cut tail", 1),
        Change(
            "edit one, chain again",
            lambda rows: rechained(
                [
                    *rows[:middle],
                    rows[middle]._replace(payload=rows[middle].payload.replace(b"true", b"false")),
                    *rows[middle + 1 :],
                ]
            ),
            "rewritten",
            last,
        ),
    ]


def make_ledger(path: Path, events: int = EVENTS) -> Vandal:
    """A sealed ledger of some games in a file, and an intruder who can write that."""
    ledger = empty_ledger(path)
    bootstrap(ledger)
    fill_with_games(ledger, events)
    ledger.engine.dispose()
    vandal = Vandal(path)
    vandal.rewrite(vandal.rows()[:events])  # whole batches of games were written
    seal_head(vandal.writable, SIGNER)
    return vandal


def structural_problems(vandal: Vandal) -> list[str]:
    """Make every structural change in turn; returns those of which the first finding is not the expected one."""
    rows = vandal.rows()
    problems = []
    for change in changes(len(rows)):
        vandal.rewrite(change.rows(rows))
        findings = vandal.findings()
        vandal.rewrite(rows)
        expected = any(
            finding.kind == change.kind and change.position in (0, finding.position) for finding in findings[:1]
        )
        if not expected:
            problems.append(f"{change.name}: {findings[0] if findings else 'not found'}")
    return problems


def seal_problems(vandal: Vandal, *, every: int = 1) -> list[str]:
    """Tamper with the seals too, `every` so many bits; returns what went unseen or was called by another name."""
    rows, (seal,) = vandal.rows(), read_seals(vandal.ledger)
    edited = rechained([*rows[:-1], rows[-1]._replace(payload=rows[-1].payload.replace(b"1", b"2"))])
    anchor = Anchor(rows[-1].position, rows[-1].chain_hash)
    problems = []

    def expect(name: str, kind: str, findings: Sequence[Finding]) -> None:
        if not any(finding.kind == kind for finding in findings):
            problems.append(f"{name}: {findings[0] if findings else 'not found'}")

    vandal.rewrite(edited)
    vandal.reseal()
    seal_head(vandal.writable, STRANGER)
    expect("edit, chain again, sign with another key", "bad seal", vandal.findings())
    vandal.reseal()
    expect("edit, chain again, remove the seal", "unexpected hash", vandal.findings([anchor]))
    vandal.rewrite(rows[:-1])
    expect("cut off, remove the seal", "cut tail", vandal.findings([anchor]))
    vandal.rewrite(rows)
    for column, value in (("note", seal.checkpoint), ("edge", seal.compact_range)):
        for bit in range(0, 8 * len(value), every):
            changed = bytearray(value)
            changed[bit // 8] ^= 1 << bit % 8
            note, edge = (changed, seal.compact_range) if column == "note" else (seal.checkpoint, changed)
            vandal.reseal(Seal(seal.size, bytes(note), bytes(edge)))
            expect(f"flip bit {bit} of a seal's {column}", "bad seal", vandal.findings())
    for size in (seal.size - 1, 0, -1):
        vandal.reseal(seal._replace(size=size))
        expect(f"move a seal to {size}", "bad seal", vandal.findings())
    vandal.reseal()
    expect("take the seal away", "missing seal", vandal.findings(archived=[(seal.size, seal.checkpoint)]))
    vandal.reseal(seal)
    return problems


def main() -> int:
    """Flip, change, and tell."""
    console = Console()
    rng = random.Random(1)
    tallies = {column: Counter[str]() for column in COLUMNS}
    unseen = []
    with tempfile.TemporaryDirectory(prefix="rps-mutations-") as folder:
        vandal = make_ledger(Path(folder) / "ledger.db")
        with closing(vandal):
            assert vandal.findings() == []
            flips = sampled_flips(vandal.rows(), FLIPS, rng)
            for row, flip in track(flips, "Flipping bits", FLIPS, console=console):
                outcome = flip_and_verify(vandal, row, flip)
                tallies[flip.column].update(flips=1, **outcome._asdict())
                if not outcome.refused and not outcome.placed:
                    unseen.append(str(flip))
            unseen += structural_problems(vandal) + seal_problems(vandal)
            assert vandal.findings() == []
    table = Table(title=f"{FLIPS:,} flipped bits in a ledger of {EVENTS} events")
    for heading in ("column", "flips", "refused by the database", "found", "position named", "column named"):
        table.add_column(heading, justify="right")
    for column, tally in tallies.items():
        table.add_row(column, *(f"{tally[name]:,}" for name in ("flips", "refused", "found", "placed", "named")))
    console.print(table)
    for problem in unseen:
        console.print(f"[red]{problem}")
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())
