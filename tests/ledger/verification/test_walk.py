import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bench.ledgers import fill_with_games
from ledger.engines.database import open_reader
from ledger.guards import SQLITE as TRIGGERS
from ledger.rows import Row
from ledger.sealing.seals import read_seals, seal_head
from ledger.store import Ledger
from ledger.verification.findings import Finding
from ledger.verification.walk import FINDINGS_MAX, Anchor, AnchorError, Claim, VerificationReport, verify
from tests.builders import game_started, round_played
from tests.ledger.chains import assert_intact
from tests.mutations import (
    COLUMNS,
    SIGNER,
    Change,
    Vandal,
    changes,
    flip_and_verify,
    make_ledger,
    rechained,
    renumbered,
    sampled_flips,
    seal_problems,
    with_extra,
)

EVENTS = 120
FLIPS = 40 * len(COLUMNS)
CHANGES = {change.name: change for change in changes(EVENTS)}


@pytest.fixture(scope="module")
def vandal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vandal]:
    """An intruder with the file of a sealed ledger; each test leaves it as it was."""
    with closing(make_ledger(tmp_path_factory.mktemp("vandal") / "ledger.db", EVENTS)) as vandal:
        yield vandal


@pytest.fixture
def rows(vandal: Vandal) -> Iterator[list[Row]]:
    rows = vandal.rows()
    yield rows
    vandal.rewrite(rows)
    assert vandal.findings() == []


def guarded(report: VerificationReport) -> list[Finding]:
    """The findings, but for the triggers that a vandal takes away."""
    return [finding for finding in report.findings if finding.kind != "unguarded"]


def test_an_empty_ledger_is_intact(ledger: Ledger) -> None:
    report = verify(ledger)

    assert (report.intact, report.events, report.last, report.chain_hash) == (True, 0, 0, bytes(32))


def test_a_ledger_is_verified_up_to_its_head(ledger: Ledger) -> None:
    ledger.append("game-g1", [game_started(), round_played()], 0)
    ledger.append("game-g2", [game_started()], 0)
    heard: list[int] = []

    report = verify(ledger, progress=heard.append)

    assert report.intact
    assert (report.events, report.last, sum(heard)) == (3, 3, 3)
    assert report.chain_hash == ledger.head().chain_hash
    assert_intact(ledger.read())


@pytest.mark.parametrize("column", COLUMNS)
def test_a_flipped_bit_is_placed_and_its_column_named(vandal: Vandal, rows: list[Row], column: str) -> None:
    flips = [pair for pair in sampled_flips(rows, FLIPS, random.Random(2)) if pair[1].column == column]

    outcomes = [(flip, flip_and_verify(vandal, row, flip)) for row, flip in flips]

    tried = [(flip, outcome) for flip, outcome in outcomes if not outcome.refused]
    assert len(tried) > len(flips) / 2
    assert [flip for flip, outcome in tried if not (outcome.placed and outcome.named)] == []


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_rows_is_named(vandal: Vandal, rows: list[Row], name: str) -> None:
    change: Change = CHANGES[name]
    vandal.rewrite(change.rows(rows))

    first = vandal.findings()[0]

    assert first.kind == change.kind
    assert change.position in (0, first.position)


def test_every_change_of_a_seal_is_named(vandal: Vandal, rows: list[Row]) -> None:
    assert rows
    assert seal_problems(vandal, every=7) == []


def test_several_changes_are_all_named(vandal: Vandal, rows: list[Row]) -> None:
    changed = [row._replace(payload=row.payload + b" ") if row.position in (10, 20, 30) else row for row in rows]
    vandal.rewrite([row for row in changed if row.position != 40])

    assert [(finding.position, finding.kind) for finding in vandal.findings()] == [
        (10, "edited"),
        (20, "edited"),
        (30, "edited"),
        (40, "missing"),
    ]


def test_a_ledger_that_is_wrong_throughout_is_not_walked_to_its_end(vandal: Vandal, rows: list[Row]) -> None:
    vandal.rewrite([row._replace(payload=row.payload + b" ") for row in rows])

    report = verify(vandal.ledger)

    assert [finding.position for finding in report.findings[:FINDINGS_MAX]] == list(range(1, FINDINGS_MAX + 1))
    assert report.unchecked_from == FINDINGS_MAX + 1
    assert "nor does the event after it fit, so more may have been done here" in report.findings[0].problem


def test_a_walk_that_goes_to_the_end_leaves_nothing_unchecked(vandal: Vandal, rows: list[Row]) -> None:
    vandal.set(10, "payload", rows[9].payload + b" ")

    assert verify(vandal.ledger).unchecked_from is None


@pytest.mark.parametrize(
    ("count", "problem"),
    [
        (1, "this event is an extra one; the later ones are renumbered"),
        (3, "3 events, up to position 13, are extra ones; the later ones are renumbered"),
    ],
)
def test_inserted_events_are_counted(vandal: Vandal, rows: list[Row], count: int, problem: str) -> None:
    vandal.rewrite(with_extra(rows, 10, count))

    report = verify(vandal.ledger)

    assert (report.findings[0].position, report.findings[0].problem) == (11, problem)
    assert report.unchecked_from == 12


def test_many_removed_events_are_counted(tmp_path: Path) -> None:
    with closing(make_ledger(tmp_path / "ledger.db", 2_100)) as vandal:
        rows = vandal.rows()
        vandal.rewrite(renumbered([*rows[:50], *rows[2_050:]]))

        first = vandal.findings()[0]

    assert (first.position, first.kind) == (51, "renumbered")
    assert first.problem.startswith("2000 events taken out here")


def test_what_was_rewritten_lies_between_two_seals(tmp_path: Path) -> None:
    with closing(make_ledger(tmp_path / "ledger.db", 60)) as vandal:
        fill_with_games(vandal.writable, 90, seed=2)
        seal_head(vandal.writable, SIGNER)
        (first, second), rows = read_seals(vandal.ledger), vandal.rows()
        changed = rows[69]._replace(payload=rows[69].payload + b" ")
        vandal.rewrite(rechained([*rows[:69], changed, *rows[70:]]))

        (finding,) = vandal.findings()

    assert (finding.position, finding.kind) == (second.size, "rewritten")
    assert f"positions {first.size + 1} to {second.size} were rewritten" in finding.problem


def test_another_winner_is_named_as_such(vandal: Vandal, rows: list[Row]) -> None:
    row = next(row for row in rows if b'"winner":"user"' in row.payload or b'"winner":"bot"' in row.payload)
    was, now = ("user", "bot") if b'"winner":"user"' in row.payload else ("bot", "user")
    payload = row.payload.replace(f'"winner":"{was}"'.encode(), f'"winner":"{now}"'.encode())
    vandal.set(row.position, "payload", payload)

    (finding,) = vandal.findings()

    assert finding.problem == f"column payload: it says '{now}' where it said '{was}'"


@pytest.mark.parametrize("neighbour", [49, 51])
def test_another_time_is_named_where_one_neighbour_has_the_true_one(
    vandal: Vandal, rows: list[Row], neighbour: int
) -> None:
    times = {row.position: row.position * 1_000_000 for row in rows} | {50: neighbour * 1_000_000}
    vandal.rewrite(rechained([row._replace(recorded_us=times[row.position]) for row in rows]))
    vandal.set(50, "recorded_us", times[50] + 12_345)

    finding = guarded(verify(vandal.ledger))[0]

    assert finding.position == 50
    assert finding.problem == f"column recorded_us: it is {times[50] + 12_345} and was {times[50]}"


def test_the_part_before_is_trusted_when_asked_to(vandal: Vandal, rows: list[Row]) -> None:
    vandal.set(10, "payload", rows[9].payload + b" ")

    assert verify(vandal.ledger, first=10).findings[0].position == 10
    later = verify(vandal.ledger, first=11)
    assert [finding for finding in later.findings if finding.kind != "unguarded"] == []
    assert later.events == EVENTS - 10


def test_the_hash_that_is_trusted_is_compared_with_an_anchor(vandal: Vandal, rows: list[Row]) -> None:
    true, other = Anchor(10, rows[9].chain_hash), Anchor(10, rows[10].chain_hash)

    assert guarded(verify(vandal.ledger, first=11, anchors=[true])) == []
    (finding,) = guarded(verify(vandal.ledger, first=11, anchors=[true, other]))

    assert (finding.position, finding.kind) == (10, "unexpected hash")


def test_where_nothing_stands_to_be_trusted_the_anchor_is(vandal: Vandal, rows: list[Row]) -> None:
    vandal.rewrite([*rows[:9], *rows[10:]])
    true, other = Anchor(10, rows[9].chain_hash), Anchor(10, rows[10].chain_hash)

    found = {
        name: [(one.position, one.kind) for one in guarded(verify(vandal.ledger, first=11, anchors=anchors))]
        for name, anchors in (("none", []), ("true", [true]), ("other", [other]))
    }

    assert found["none"] == found["true"] == [(10, "missing")]
    assert found["other"][:2] == [(10, "missing"), (11, "edited")]


@pytest.mark.parametrize(("left", "gap"), [(12, "1 event before 12"), (13, "2 events before 13")])
def test_a_walk_that_begins_in_a_gap_says_how_much_is_missing(
    vandal: Vandal, rows: list[Row], left: int, gap: str
) -> None:
    vandal.rewrite([*rows[:9], *rows[left - 1 :]])

    found = [(one.position, one.kind, one.problem) for one in guarded(verify(vandal.ledger, first=11))]

    assert found[0][:2] == (10, "missing")
    assert found[1] == (11, "missing", gap)
    assert len(found) == 2


def test_an_anchor_before_what_is_walked_is_refused(vandal: Vandal, rows: list[Row]) -> None:
    with pytest.raises(AnchorError, match="verify from 4 or before") as refused:
        verify(vandal.ledger, first=11, anchors=[Anchor(3, rows[2].chain_hash)])

    assert (refused.value.position, refused.value.first) == (3, 11)


def test_an_anchor_at_zero_is_the_hash_before_the_first_event(vandal: Vandal, rows: list[Row]) -> None:
    assert vandal.findings([Anchor(0, bytes(32))]) == []
    (finding,) = vandal.findings([Anchor(0, rows[0].chain_hash)])

    assert (finding.position, finding.kind) == (0, "unexpected hash")


@pytest.mark.parametrize("order", [1, -1])
def test_every_anchor_of_a_position_is_compared(vandal: Vandal, rows: list[Row], order: int) -> None:
    anchors = [Anchor(5, rows[4].chain_hash), Anchor(5, rows[5].chain_hash)][::order]

    (finding,) = vandal.findings(anchors)

    assert (finding.position, finding.kind) == (5, "unexpected hash")


@pytest.mark.parametrize("column", COLUMNS[1:])
def test_a_value_of_another_type_is_named(tmp_path: Path, column: str) -> None:
    with closing(make_ledger(tmp_path / "ledger.db", 30)) as vandal:
        vandal.loosen()
        vandal.connection.execute(f"UPDATE events SET {column} = NULL WHERE position IN (7, 8)")

        findings = vandal.findings()

        later = guarded(verify(vandal.ledger, first=8))
    assert [(one.position, one.kind) for one in findings[:2]] == [(7, "edited"), (8, "edited")]
    assert f"column {column}" in findings[0].problem
    assert [(one.position, one.kind) for one in later[:2]] == [(7, "missing"), (8, "edited")]


def test_an_anchor_that_fits_is_no_finding(vandal: Vandal, rows: list[Row]) -> None:
    anchors = [Anchor(row.position, row.chain_hash) for row in rows[::7]]

    assert vandal.findings(anchors) == []


def test_an_anchor_that_does_not_fit_is_named(vandal: Vandal, rows: list[Row]) -> None:
    (finding,) = vandal.findings([Anchor(5, rows[5].chain_hash)])

    assert (finding.position, finding.kind) == (5, "unexpected hash")


def test_an_anchor_beyond_the_head_is_a_cut_tail(vandal: Vandal, rows: list[Row]) -> None:
    (finding,) = vandal.findings([Anchor(EVENTS + 3, rows[0].chain_hash)])

    assert (finding.position, finding.kind) == (EVENTS + 1, "cut tail")


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_trigger_that_is_gone_or_changed_is_named(engine: Engine, ledger: Ledger, trigger: str) -> None:
    ledger.append("game-g1", [game_started()], 0)
    assert engine.url.database
    with closing(sqlite3.connect(engine.url.database)) as connection, connection:
        connection.execute(f"DROP TRIGGER {trigger}")

        (gone,) = verify(ledger).findings
        connection.execute(f"CREATE TRIGGER {trigger} BEFORE UPDATE ON events BEGIN SELECT 1; END")
        connection.commit()
        (changed,) = verify(ledger).findings

    assert (gone.kind, gone.problem) == ("unguarded", f"trigger {trigger} is missing")
    assert (changed.kind, changed.problem) == ("unguarded", f"trigger {trigger} is changed")


def test_a_damaged_file_is_a_finding(tmp_path: Path, vandal: Vandal, rows: list[Row]) -> None:
    assert len(rows) == EVENTS
    vandal.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(vandal.path.read_bytes())
    for page in range(8 * 4_096, len(content), 4_096):
        content[page : page + 64] = b"\xff" * 64
    (tmp_path / "damaged.db").write_bytes(content)
    engine = open_reader(f"sqlite:///{tmp_path / 'damaged.db'}")

    report = verify(Ledger(engine))
    engine.dispose()

    assert report.findings[-1].kind == "damaged"


def test_the_seals_of_the_vandal_s_ledger_are_what_is_compared(vandal: Vandal) -> None:
    assert [seal.size for seal in read_seals(vandal.ledger)] == [EVENTS]


def test_claims_are_about_the_whole_log_and_no_part_is_held_against_them(vandal: Vandal) -> None:
    size = vandal.ledger.head().position // 2
    false = Claim(size, bytes(32), "a seal")

    (finding,) = guarded(verify(vandal.ledger, claims=[false]))
    part = verify(vandal.ledger, first=2, claims=[false])

    assert finding.position == size
    assert (guarded(part), part.claims) == ([], 0)


def test_a_tail_that_was_moved_up_is_named_and_not_walked_through(tmp_path: Path) -> None:
    """Each of its events belongs where one is missing, and to find it the whole log is read."""
    with closing(make_ledger(tmp_path / "ledger.db", 2_600)) as vandal:
        vandal.connection.execute("UPDATE events SET position = position + 1000000 WHERE position > 1300")

        report = verify(vandal.ledger)

    first, *others = guarded(report)
    assert (first.position, first.kind) == (1301, "moved")
    assert len(others) <= FINDINGS_MAX
    assert report.unchecked_from is not None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE sqlite_sequence SET seq = 'abc'",
        "UPDATE sqlite_sequence SET seq = x'00'",
        "UPDATE sqlite_sequence SET seq = 1",
        "UPDATE sqlite_sequence SET seq = NULL",
        "DELETE FROM sqlite_sequence",
    ],
)
def test_a_database_that_was_made_to_forget_its_last_position_is_damaged(
    engine: Engine, ledger: Ledger, change: str
) -> None:
    """It would show no tail that is cut off later."""
    ledger.append("game-g1", [game_started(), round_played()], 0)
    with engine.begin() as connection:
        connection.exec_driver_sql(change)

    (finding,) = verify(ledger).findings

    assert finding.kind == "damaged"
    assert "the database's own sequence" in finding.problem
