"""Every change that an intruder with a superuser's rights makes on PostgreSQL is found and placed."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from ledger.sealing.keys import Signer
from ledger.sealing.seals import seal_head
from ledger.store import Ledger
from ledger.verification.audit import audit
from ledger.verification.walk import VerificationReport
from tests.builders import game_started, round_played
from tests.postgresql import WHEEL, Server

pytestmark = pytest.mark.engines(WHEEL)
SIGNER = Signer("example.com/log", bytes(32))
Vandalise = Callable[..., VerificationReport]


@pytest.fixture
def vandalise(ledger: Ledger, engine: Engine, postgresql: Server) -> Vandalise:
    """Run statements past all triggers on a sealed ledger of twelve events, and audit what is left."""
    for number in range(4):
        ledger.append(f"game-g{number}", [game_started(), round_played(), round_played(round=2)], 0)
    seal_head(ledger, SIGNER)

    def run(*statements: str) -> VerificationReport:
        past = "SET session_replication_role = replica"
        postgresql.execute(past, *statements, database=str(engine.url.database))
        return audit(ledger, verifiers=[SIGNER.verifier])

    return run


def test_a_ledger_that_nobody_has_changed_is_intact(vandalise: Vandalise) -> None:
    report = vandalise()

    assert (report.intact, report.last, report.claims) == (True, 12, 1)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("event_id", "chr(ascii(event_id) # 1) || substr(event_id, 2)"),
        ("stream", "chr(ascii(stream) # 1) || substr(stream, 2)"),
        ("version", "7"),
        ("type", "'game.started'"),
        ("schema_version", "2"),
        ("recorded_us", "recorded_us + 1"),
        ("payload", "set_byte(payload, 40, get_byte(payload, 40) # 1)"),
        ("chain_hash", "set_byte(chain_hash, 5, get_byte(chain_hash, 5) # 1)"),
    ],
)
@pytest.mark.parametrize("position", [5, 12])
def test_a_column_that_was_changed_is_placed_and_named(
    vandalise: Vandalise, column: str, value: str, position: int
) -> None:
    report = vandalise(f"UPDATE events SET {column} = {value} WHERE position = {position}")

    first = report.findings[0]
    assert (first.position, first.kind) == (position, "edited")
    assert f"column {column}" in first.problem


def test_an_event_that_was_taken_out_is_missed(vandalise: Vandalise) -> None:
    found = vandalise("DELETE FROM events WHERE position = 7").findings[0]

    assert (found.kind, found.position) == ("missing", 7)


def test_a_tail_that_was_cut_is_known_to_head_and_seal(vandalise: Vandalise) -> None:
    found = vandalise("DELETE FROM events WHERE position > 10", "UPDATE ledger_head SET position = 10").findings[0]

    assert (found.kind, found.position) == ("cut tail", 11)
    assert "the seal" in found.problem


def test_events_that_changed_places_are_named(vandalise: Vandalise) -> None:
    report = vandalise(
        "UPDATE events SET position = -4 WHERE position = 4",
        "UPDATE events SET position = 4 WHERE position = 8",
        "UPDATE events SET position = 8 WHERE position = -4",
    )

    assert (report.findings[0].kind, report.findings[0].position) == ("swapped", 4)


def test_a_seal_that_was_changed_is_bad(vandalise: Vandalise) -> None:
    report = vandalise("UPDATE seals SET note = set_byte(note, 3, get_byte(note, 3) # 1)")

    assert {found.kind for found in report.findings} == {"bad seal"}
