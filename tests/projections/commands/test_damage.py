"""Every command, on a file of which a part is not what the database wrote."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.mutations import Vandal
from tests.projections.sabotage import execute
from tests.projections.terminal import Answer, ask

PAGE_BYTES = 4_096
EVERYTHING = {
    "status": [],
    "log": ["--limit", "100000"],
    "show": ["1588"],
    "replay": [],
    "aliases": [],
    "compare": [],
    "diff": ["100", "7000"],
    "decisions": [],
    "what-if": ["--alpha", "0.05"],
    "export": ["{}/export.jsonl"],
    "backfill": ["--out", "{}/history", "--step", "4m"],
    "rebuild": [],
    "prove": ["77", "--out", "{}/proof.json"],
}
DAMAGED = "the database is damaged"


def answer(path: Path, command: str, folder: Path) -> Answer:
    return ask(path, command, *(argument.format(folder) for argument in EVERYTHING[command]))


def leaf_page(path: Path, position: int) -> int:
    """The page of the table on which an event stands: there alone the stream follows the event id."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT event_id || stream FROM events WHERE position = ?"
        (text,) = connection.execute(query, (position,)).fetchone()
    return path.read_bytes().index(text.encode()) // PAGE_BYTES


def overwrite(path: Path, page: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(page * PAGE_BYTES)
        file.write(content)


@pytest.fixture
def overwritten(copied: Path) -> Path:
    """A page in the middle of the log is overwritten."""
    overwrite(copied, leaf_page(copied, 3_780), b"\xff" * PAGE_BYTES)
    return copied


@pytest.mark.parametrize("command", EVERYTHING)
def test_an_overwritten_page_is_reported_in_one_line(overwritten: Path, tmp_path: Path, command: str) -> None:
    found = answer(overwritten, command, tmp_path)

    if command in ("show", "aliases"):  # they look elsewhere
        assert found.status == 0
        return
    assert found.status == 2
    assert found.problem.startswith(DAMAGED)
    assert "rps-audit verify" in found.problem
    assert "\n" not in found.problem
    assert not (tmp_path / "export.jsonl").exists()


def test_verify_and_backup_find_an_overwritten_page(overwritten: Path, tmp_path: Path) -> None:
    verified, as_json = ask(overwritten, "verify"), ask(overwritten, "verify", "--json")
    backup = ask(overwritten, "backup", str(tmp_path / "backup.db"))

    assert (verified.status, as_json.status, backup.status) == (1, 1, 1)
    assert "damaged: database disk image is malformed" in verified.output
    assert "from position 2,001 on nothing was looked at" in verified.output
    assert "damaged" in {one["kind"] for one in as_json.json["report"]["findings"]}
    assert as_json.json["report"]["unchecked_from"] == 2_001
    assert "not intact" in backup.output
    assert (tmp_path / "backup.db").exists()


@pytest.mark.parametrize("page", ["the log's last", "the table's root"])
def test_verify_finds_a_page_without_which_nothing_can_be_asked(copied: Path, page: str) -> None:
    with closing(sqlite3.connect(copied)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()
    overwrite(copied, root - 1 if page == "the table's root" else leaf_page(copied, 7_550), bytes(PAGE_BYTES))

    verified, listed = ask(copied, "verify", "--json"), ask(copied, "log")

    assert verified.status == 1
    assert {one["kind"] for one in verified.json["report"]["findings"]} >= {"damaged"}
    assert (listed.status, listed.problem.startswith(DAMAGED)) == (2, True)


@pytest.mark.parametrize("column", ["event_id", "stream", "type"])
def test_a_text_that_is_not_utf_8_crashes_no_command(copied: Path, tmp_path: Path, column: str) -> None:
    with closing(sqlite3.connect(copied)) as connection:
        (text,) = connection.execute(f"SELECT {column} FROM events WHERE position = 1588").fetchone()
    bad = bytes([text.encode()[0] | 0x80, *text.encode()[1:]])
    execute(copied, f"UPDATE events SET {column} = CAST(x'{bad.hex()}' AS TEXT) WHERE position = 1588")

    answers = {command: answer(copied, command, tmp_path) for command in EVERYTHING}
    verified = ask(copied, "verify")

    assert verified.status == 1
    assert f"position 1588: edited: column {column}" in verified.output
    reporting = {command for command, found in answers.items() if found.status == 2}
    assert {"log", "replay", "compare", "diff", "export", "rebuild"} <= reporting
    assert {answers[command].problem for command in reporting} == {
        f"{DAMAGED} (a text is not UTF-8): run `rps-audit verify`"
    }
    assert answers["prove"].status == 1
    assert answers["show"].status == 0
    assert f"\ufffd{text[1:]}" in answers["show"].output


@pytest.mark.parametrize(
    "column", ["event_id", "stream", "type", "version", "recorded_us", "payload", "chain_hash"]
)
def test_a_value_of_another_type_crashes_no_command_that_lists_events(
    copied: Path, tmp_path: Path, column: str
) -> None:
    with closing(Vandal(copied)) as vandal:
        vandal.loosen()
        vandal.connection.execute(f"UPDATE events SET {column} = NULL WHERE position = 7550")
    problem = f"{DAMAGED} ({column} of position 7550): run `rps-audit verify`"

    assert ask(copied, "log", "--since", "2025-11-09").problem == problem
    assert ask(copied, "export", str(tmp_path / "export.jsonl")).problem == problem
    assert (
        ask(copied, "show", "7550").problem
        == f"position 7550 holds no event, by its {column}: run `rps-audit verify`"
    )
    assert ask(copied, "verify").status == 1


def test_a_schema_that_is_not_utf_8_is_reported_in_one_line(copied: Path) -> None:
    copied.write_bytes(copied.read_bytes().replace(b"CREATE TABLE events (", b"CREATE TAB\xf6E events ("))

    verified, listed = ask(copied, "verify"), ask(copied, "log")

    assert (verified.status, listed.status) == (1, 2)
    assert listed.problem.startswith(DAMAGED)
