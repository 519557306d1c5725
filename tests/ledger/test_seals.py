import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ledger.merkle import Edge
from ledger.rows import Row, Rows
from ledger.schema import TRIGGERS
from ledger.seal import Signer
from ledger.seals import SEAL_EVENTS, SEAL_IDLE_SECONDS, Sealer, SealError, audit, last_seal, read_seals, seal_head
from ledger.store import Ledger
from tests.builders import game_started, round_played

SIGNER = Signer("example.com/log", bytes(32))
NOW = 1_762_000_000


def database(engine: Engine) -> Path:
    assert engine.url.database
    return Path(engine.url.database)


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return Ledger(engine, clock=lambda: NOW)


def append(ledger: Ledger, events: int) -> None:
    number = ledger.head().position
    ledger.append(f"game-{number}", [game_started(), *[round_played()] * (events - 1)], 0)


def due(ledger: Ledger, idle_seconds: float, **options: bool) -> int | None:
    sealed = Sealer(ledger, SIGNER).run(int((NOW + idle_seconds) * 1_000_000), **options)
    return sealed.size if sealed else None


def test_a_seal_is_over_everything_up_to_the_head(ledger: Ledger) -> None:
    append(ledger, 5)
    leaves = [Row._make(row).leaf() for page in Rows(ledger.engine).pages() for row in page]
    edge = Edge()
    edge.extend(leaves)

    seal = seal_head(ledger, SIGNER)

    assert seal == last_seal(ledger)
    assert seal is not None
    assert SIGNER.verifier.open(seal.note).checkpoint == (SIGNER.name, 5, edge.root())


def test_each_seal_goes_on_from_the_one_before(ledger: Ledger) -> None:
    for events in (3, 4, 5):
        append(ledger, events)
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


def test_a_seal_is_due_a_minute_after_the_last_event(ledger: Ledger) -> None:
    append(ledger, 2)

    assert due(ledger, SEAL_IDLE_SECONDS - 1) is None
    assert due(ledger, SEAL_IDLE_SECONDS) == 2


def test_a_seal_is_due_when_enough_has_come(ledger: Ledger) -> None:
    append(ledger, SEAL_EVENTS - 1)
    assert due(ledger, 0) is None

    append(ledger, 1)

    assert due(ledger, 0) == SEAL_EVENTS


def test_a_seal_is_due_at_once_for_who_does_not_wait(ledger: Ledger) -> None:
    append(ledger, 1)

    assert due(ledger, 0, wait=False) == 1


def test_the_witness_sees_every_seal_and_again_what_it_could_not_take(ledger: Ledger) -> None:
    seen: list[int] = []
    fails = True

    def witness(size: int, _note: bytes) -> None:
        if fails:
            raise OSError("away")
        seen.append(size)

    sealer = Sealer(ledger, SIGNER, witness)
    for _ in range(2):
        append(ledger, 2)
        with pytest.raises(OSError, match="away"):
            sealer.run((NOW + 100) * 1_000_000)
    fails = False

    assert sealer.run((NOW + 100) * 1_000_000) is None
    assert sealer.run((NOW + 100) * 1_000_000) is None

    assert seen == [2, 4]


def test_a_broken_chain_is_not_sealed(ledger: Ledger, engine: Engine) -> None:
    append(ledger, 4)
    with closing(sqlite3.connect(database(engine))) as connection, connection:
        connection.execute("DROP TRIGGER events_refuse_update")
        connection.execute("UPDATE events SET recorded_us = 1 WHERE position = 3")

    with pytest.raises(SealError, match="position 3"):
        seal_head(ledger, SIGNER)

    assert read_seals(ledger) == []


@pytest.mark.parametrize(
    "statement", ["UPDATE seals SET edge = zeroblob(length(edge))", "UPDATE seals SET note = x'00'"]
)
def test_a_damaged_seal_is_not_built_upon(ledger: Ledger, engine: Engine, statement: str) -> None:
    append(ledger, 4)
    seal_head(ledger, SIGNER)
    append(ledger, 4)
    with closing(sqlite3.connect(database(engine))) as connection, connection:
        connection.execute("DROP TRIGGER seals_refuse_update")
        connection.execute(statement)
        connection.execute(TRIGGERS["seals_refuse_update"])

    with pytest.raises(SealError, match="over 4 events"):
        seal_head(ledger, SIGNER)
    assert [finding.kind for finding in audit(ledger).findings] == ["bad seal"]


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


def test_a_second_key_is_seen_without_knowing_the_first(ledger: Ledger) -> None:
    append(ledger, 3)
    seal_head(ledger, SIGNER)
    append(ledger, 3)
    seal_head(ledger, Signer("example.com/log", bytes([1] * 32)))

    (finding,) = audit(ledger).findings

    assert (finding.position, finding.kind) == (6, "bad seal")
    assert "another key" in finding.problem
