import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, insert, select, update

from ledger.rows import Row, Rows
from ledger.schema import events, seals
from ledger.sealing.keys import Signer
from ledger.sealing.merkle import CompactRange
from ledger.sealing.seals import (
    SEAL_EVENTS,
    SEAL_IDLE_SECONDS,
    Sealer,
    SealError,
    last_seal,
    read_seals,
    seal_head,
)
from ledger.store import Ledger
from ledger.verification.audit import audit
from tests.builders import game_started, round_played
from tests.postgresql import EVERY_ENGINE, SQLITE_ONLY, past_the_guards

pytestmark = EVERY_ENGINE

SIGNER = Signer("example.com/log", bytes(32))
STRANGER = Signer("example.com/log", bytes([1] * 32))
NOW = 1_762_000_000
LATER = (NOW + 100) * 1_000_000


def rewrite(ledger: Ledger, *, kept_seals: int) -> None:
    """Have another last event, with a hash that fits it, and no seals but the first ones."""
    (*_, before, row) = [Row._make(one) for page in Rows(ledger.engine).pages() for one in page]
    changed = row._replace(payload=row.payload.replace(b"rock", b"paper"))
    chain_hash = changed.hash_after(before.chain_hash)
    kept = select(seals.c.size).order_by(seals.c.size).limit(kept_seals)
    with past_the_guards(ledger.engine) as connection:
        other = {"payload": changed.payload, "chain_hash": chain_hash}
        connection.execute(update(events).where(events.c.position == row.position).values(other))
        connection.execute(delete(seals).where(seals.c.size.not_in(kept)))


def database(engine: Engine) -> Path:
    assert engine.url.database
    return Path(engine.url.database)


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return Ledger(engine, clock=lambda: NOW)


def append(ledger: Ledger, events: int) -> None:
    number = ledger.head().position
    ledger.append(f"game-{number}", [game_started(), *[round_played()] * (events - 1)], 0)


def due(ledger: Ledger, idle_seconds: float) -> int | None:
    sealed = Sealer(ledger, SIGNER).run(int((NOW + idle_seconds) * 1_000_000))
    return sealed.size if sealed else None


class Notes:
    """An archive that takes checkpoints, while it is there."""

    def __init__(self) -> None:
        self.kept: dict[int, bytes] = {}
        self.readable = self.writable = True

    def __call__(self, size: int, note: bytes) -> None:
        if not self.writable:
            raise OSError("away")
        self.kept[size] = note

    def newest(self, after: int = 0) -> tuple[int, bytes] | None:
        if not self.readable:
            raise OSError("away")
        size = max(self.kept, default=0)
        return (size, self.kept[size]) if size > after else None


def test_a_seal_is_over_everything_up_to_the_head(ledger: Ledger) -> None:
    append(ledger, 5)
    leaves = [Row._make(row).leaf() for page in Rows(ledger.engine).pages() for row in page]
    edge = CompactRange()
    edge.extend(leaves)

    seal = seal_head(ledger, SIGNER)

    assert seal == last_seal(ledger)
    assert seal is not None
    assert SIGNER.verifier.open(seal.checkpoint).checkpoint == (SIGNER.name, 5, edge.root())


def test_each_seal_goes_on_from_the_one_before(ledger: Ledger) -> None:
    for count in (3, 4, 5):
        append(ledger, count)
        seal_head(ledger, SIGNER)

    assert [seal.size for seal in read_seals(ledger)] == [3, 7, 12]
    report = audit(ledger, verifiers=[SIGNER.verifier])
    assert (report.findings, report.claims) == ((), 3)


def test_nothing_is_sealed_twice(ledger: Ledger) -> None:
    assert seal_head(ledger, SIGNER) is None
    append(ledger, 2)
    seal_head(ledger, SIGNER)

    assert seal_head(ledger, SIGNER) is None
    assert due(ledger, 1e9) is None


def test_of_two_processes_that_seal_one_head_the_faster_one_does(ledger: Ledger) -> None:
    append(ledger, 2)

    class Slow(Signer):
        """Signs after another process has sealed the same head."""

        def sign(self, size: int, root: bytes) -> bytes:
            seal_head(ledger, SIGNER)
            return super().sign(size, root)

    assert seal_head(ledger, Slow(SIGNER.name, bytes(32))) is None

    assert [seal.size for seal in read_seals(ledger)] == [2]


def test_a_seal_is_due_a_minute_after_the_last_event(ledger: Ledger) -> None:
    append(ledger, 2)

    assert due(ledger, SEAL_IDLE_SECONDS - 1) is None
    assert due(ledger, SEAL_IDLE_SECONDS) == 2


def test_a_seal_is_due_when_enough_has_come(ledger: Ledger) -> None:
    append(ledger, SEAL_EVENTS - 1)
    assert due(ledger, 0) is None

    append(ledger, 1)

    assert due(ledger, 0) == SEAL_EVENTS


def test_the_archive_sees_every_seal_and_again_what_it_could_not_take(ledger: Ledger) -> None:
    archive = Notes()
    archive.writable = False
    sealer = Sealer(ledger, SIGNER, archive)
    for _ in range(2):
        append(ledger, 2)
        with pytest.raises(OSError, match="away"):
            sealer.run(LATER)
    archive.writable = True

    assert sealer.run(LATER) is None
    assert sealer.run(LATER) is None

    assert list(archive.kept) == [2, 4]


def test_nothing_is_signed_while_the_archive_cannot_be_asked(ledger: Ledger) -> None:
    archive = Notes()
    archive.readable = False
    append(ledger, 2)

    with pytest.raises(OSError, match="away"):
        Sealer(ledger, SIGNER, archive).run(LATER)

    assert read_seals(ledger) == []


@pytest.mark.parametrize("kept", [0, 1])
@pytest.mark.parametrize("restarted", [True, False])
def test_a_history_that_the_archive_contradicts_is_not_signed(ledger: Ledger, restarted: bool, kept: int) -> None:
    """An intruder writes the log again after the first seal, and takes away the seals that do not fit it."""
    archive = Notes()
    sealer = Sealer(ledger, SIGNER, archive)
    for _ in range(2):
        append(ledger, 3)
        sealer.run(LATER)
    rewrite(ledger, kept_seals=kept)
    append(ledger, 3)
    if restarted:
        sealer = Sealer(ledger, SIGNER, archive)

    with pytest.raises(SealError, match="the checkpoint archive has a seal that the ledger lacks, over 6 events"):
        sealer.run(LATER)

    assert len(read_seals(ledger)) == kept
    assert list(archive.kept) == [3, 6]


def test_a_history_with_another_seal_than_the_archive_s_is_not_signed(ledger: Ledger) -> None:
    archive = Notes()
    append(ledger, 3)
    Sealer(ledger, SIGNER, archive).run(LATER)
    rewrite(ledger, kept_seals=0)
    seal_head(ledger, SIGNER)
    append(ledger, 3)

    with pytest.raises(SealError, match="another seal over 3 events"):
        Sealer(ledger, SIGNER, archive).run(LATER)


def test_two_sealers_share_an_archive(ledger: Ledger) -> None:
    archive = Notes()
    one, other = (Sealer(ledger, SIGNER, archive) for _ in range(2))

    for sealer in (one, other, one, other):
        append(ledger, 2)
        assert sealer.run(LATER) is not None

    assert list(archive.kept) == [2, 4, 6, 8]


def test_another_key_than_the_last_seal_s_signs_nothing(ledger: Ledger) -> None:
    append(ledger, 3)
    seal_head(ledger, SIGNER)
    append(ledger, 3)

    with pytest.raises(SealError, match=r"over 3 events cannot be built upon: it is signed by example.com/log\+"):
        seal_head(ledger, STRANGER)

    assert len(read_seals(ledger)) == 1


def test_a_broken_chain_is_not_sealed(ledger: Ledger) -> None:
    append(ledger, 4)
    with past_the_guards(ledger.engine) as connection:
        connection.exec_driver_sql("UPDATE events SET recorded_us = 1 WHERE position = 3")

    with pytest.raises(SealError, match="position 3"):
        seal_head(ledger, SIGNER)

    assert read_seals(ledger) == []


@pytest.mark.parametrize("damage", [{"compact_range": bytes(32)}, {"checkpoint": b"\0"}])
def test_a_damaged_seal_is_not_built_upon(ledger: Ledger, damage: dict[str, bytes]) -> None:
    append(ledger, 4)
    seal_head(ledger, SIGNER)
    append(ledger, 4)
    with past_the_guards(ledger.engine) as connection:
        connection.execute(update(seals).values(damage))

    with pytest.raises(SealError, match="over 4 events"):
        seal_head(ledger, SIGNER)
    assert [finding.kind for finding in audit(ledger).findings] == ["bad seal"]


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE seals SET size = 4", "no update"),
        ("DELETE FROM seals", "no delete"),
        ("INSERT INTO seals SELECT * FROM seals", "cover more"),
        ("INSERT OR REPLACE INTO seals SELECT * FROM seals", "cover more"),
        ("INSERT INTO seals SELECT 2, note, edge FROM seals", "cover more"),
    ],
)
def test_a_seal_stays_as_it_is(ledger: Ledger, engine: Engine, statement: str, problem: str) -> None:
    append(ledger, 3)
    seal_head(ledger, SIGNER)
    before = read_seals(ledger)

    with (
        closing(sqlite3.connect(database(engine))) as connection,
        pytest.raises(sqlite3.IntegrityError, match=f"seals are append-only: .*{problem}"),
    ):
        connection.execute(statement)

    assert read_seals(ledger) == before


def archived(ledger: Ledger) -> list[tuple[int, bytes]]:
    return [(seal.size, seal.checkpoint) for seal in read_seals(ledger)]


@pytest.mark.parametrize(
    ("taken", "position", "problem"),
    [
        ("size = 9", 9, "the archive's seal over 9 events is not in the ledger"),
        ("size = 3", 3, "the archive's seal over 3 events is not in the ledger"),
        ("size > 3", 6, "2 of the archive's seals, the last one over 9 events, are not in the ledger"),
        ("true", 3, "3 of the archive's seals, the last one over 9 events, are not in the ledger"),
    ],
)
def test_a_seal_that_was_taken_away_is_missed_by_the_archive(
    ledger: Ledger, taken: str, position: int, problem: str
) -> None:
    for _ in range(3):
        append(ledger, 3)
        seal_head(ledger, SIGNER)
    notes = archived(ledger)
    with past_the_guards(ledger.engine) as connection:
        connection.exec_driver_sql(f"DELETE FROM seals WHERE {taken}")

    report = audit(ledger, verifiers=[SIGNER.verifier], archived=notes)

    assert [(one.position, one.kind, one.problem) for one in report.findings] == [
        (position, "missing seal", problem)
    ]
    assert (report.archived, report.claims - report.seals) == (3, 3)


@pytest.mark.parametrize("size", [-1, 0, 2])
def test_a_seal_that_was_moved_is_seen_and_the_others_are_compared(ledger: Ledger, size: int) -> None:
    for _ in range(2):
        append(ledger, 3)
        seal_head(ledger, SIGNER)
    with past_the_guards(ledger.engine) as connection:
        connection.execute(update(seals).where(seals.c.size == 3).values(size=size))

    report = audit(ledger)

    assert [(one.position, one.kind) for one in report.findings] == [(size, "bad seal")]
    assert report.claims == 1


def test_who_signed_is_said(ledger: Ledger) -> None:
    append(ledger, 3)
    seal_head(ledger, SIGNER)

    report = audit(ledger, verifiers=[STRANGER.verifier, SIGNER.verifier], archived=archived(ledger))

    assert report.signers == (SIGNER.verifier.label,)
    assert SIGNER.verifier.label in SIGNER.verifier.text()
    assert (report.seals, report.archived, report.claims) == (1, 1, 2)


def test_a_part_of_the_log_is_not_compared_with_seals_of_the_whole(ledger: Ledger) -> None:
    for _ in range(2):
        append(ledger, 3)
        seal_head(ledger, SIGNER)

    report = audit(ledger, first=2, verifiers=[SIGNER.verifier])

    assert (report.findings, report.events, report.seals, report.claims) == ((), 5, 2, 0)


def test_seals_before_the_first_break_are_still_compared(ledger: Ledger) -> None:
    for _ in range(2):
        append(ledger, 3)
        seal_head(ledger, SIGNER)
    with past_the_guards(ledger.engine) as connection:
        connection.exec_driver_sql("UPDATE events SET recorded_us = recorded_us + 1 WHERE position = 5")

    report = audit(ledger)

    assert report.findings[0].position == 5
    assert report.claims == 1


def test_a_second_key_is_seen_without_knowing_the_first(ledger: Ledger) -> None:
    append(ledger, 3)
    (first,) = [seal_head(ledger, SIGNER)]
    append(ledger, 3)
    with past_the_guards(ledger.engine) as connection:
        connection.exec_driver_sql("DELETE FROM seals")
    seal_head(ledger, STRANGER)
    assert first is not None
    with past_the_guards(ledger.engine) as connection:
        connection.execute(insert(seals).values(first._asdict()))

    (finding,) = audit(ledger).findings

    assert (finding.position, finding.kind) == (6, "bad seal")
    assert "another key" in finding.problem
