import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow.parquet
import pytest

from projections.commands.outputs import OutputError, new_file
from tests.disks import files_of_at_most
from tests.projections.terminal import ask


@pytest.fixture
def lines(example: Path, tmp_path: Path) -> Path:
    """The example, exported."""
    path = tmp_path / "ledger.jsonl"
    assert ask(example, "export", str(path)).status == 0
    return path


def test_an_export_takes_no_other_file_s_place(copied: Path) -> None:
    before = copied.read_bytes()

    answer = ask(copied, "export", str(copied))

    assert (answer.status, answer.output) == (2, "")
    assert answer.problem == f"{copied} exists already: name a new file"
    assert copied.read_bytes() == before


def test_an_export_to_standard_output_is_the_same(example: Path, lines: Path) -> None:
    assert ask(example, "export").output == lines.read_text("utf-8")


def write_half(path: Path) -> None:
    with new_file(path) as file:
        file.write(b"half")
        raise ZeroDivisionError


def test_a_new_file_is_gone_when_it_is_not_written_to_its_end(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        write_half(tmp_path / "file")

    assert not (tmp_path / "file").exists()


def test_a_file_that_is_there_already_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("mine")

    with pytest.raises(OutputError, match="exists already"), new_file(path):
        raise AssertionError

    assert path.read_text() == "mine"


@pytest.mark.parametrize("content", [b"no export\n", b'{"position":2}\n'])
def test_an_import_that_is_refused_leaves_no_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lines").write_bytes(content)

    answer = ask(tmp_path / "new.db", "import", str(tmp_path / "lines"))

    assert answer.status == 2
    assert os.listdir(tmp_path) == ["lines"]


def test_an_import_whose_lines_do_not_fit_leaves_no_file_and_says_so_in_json_too(
    lines: Path, tmp_path: Path
) -> None:
    lines.write_bytes(lines.read_bytes().replace(b'"winner":"user"', b'"winner":"bot"', 1))

    as_json = ask(tmp_path / "new.db", "import", str(lines), "--json")

    assert as_json.status == 1
    assert as_json.json["imported"] == 0
    assert as_json.json["line"] > 1
    assert "does not give its chain hash" in as_json.json["problem"]
    assert os.listdir(tmp_path) == ["ledger.jsonl"]


def test_an_import_into_what_is_no_ledger_changes_nothing(lines: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE mine (number INTEGER)")
    text = tmp_path / "text.db"
    text.write_text("no database" * 1_000)

    for path in (other, text):
        before = path.read_bytes()
        answer = ask(path, "import", str(lines))

        assert answer.status == 2
        assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["ledger.jsonl", "other.db", "text.db"]


def test_an_import_into_a_ledger_with_events_changes_nothing(example: Path, lines: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    assert ask(example, "backup", str(backup)).status == 0
    before = backup.read_bytes()

    answer = ask(backup, "import", str(lines))

    assert answer.status == 2
    assert "already holds 7550 events" in answer.problem
    assert backup.read_bytes() == before


@pytest.mark.parametrize("there", [True, False])
def test_an_import_says_the_head_in_hexadecimal_digits(
    example: Path, lines: Path, tmp_path: Path, there: bool
) -> None:
    new = tmp_path / "new.db"
    if there:
        new.touch()

    imported = ask(new, "import", str(lines), "--json").json

    head = json.loads(ask(example, "status", "--json").output)["head"]
    assert imported == {"imported": 7_550, "chain_hash": head["chain_hash"]}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["export", "out.jsonl"], "cannot write out.jsonl: File too large"),
        (["backup", "out.db"], "disk I/O error"),
        (["backfill", "--out", "out"], "cannot write into out: File too large"),
        (["import", "lines.jsonl", "--database", "sqlite:///out.db"], "disk I/O error"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_full_disk_is_one_line_and_leaves_no_part_of_a_file(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ask(example, "export", "lines.jsonl").status == 0

    with files_of_at_most(300_000):
        answer = ask(example, *words)

    assert (answer.status, answer.output) == (2, "")
    assert reason in answer.problem
    assert "\n" not in answer.problem
    assert [path.name for path in tmp_path.iterdir()] == ["lines.jsonl"]


@pytest.mark.parametrize("what", ["decisions", "games", "rounds", "predictions"])
def test_a_table_is_exported_for_other_programs(example: Path, tmp_path: Path, what: str) -> None:
    rows = ask(example, "export", "--what", what, "--format", "jsonl").output.splitlines()
    lines = ask(example, "export", "--what", what).output.splitlines()
    path = tmp_path / "x.parquet"
    assert ask(example, "export", "--what", what, "--format", "parquet", str(path)).status == 0

    names = list(json.loads(rows[0]))
    assert (lines[0].split(","), len(lines)) == (names, len(rows) + 1)
    found = pyarrow.parquet.read_table(path)
    assert (found.column_names, found.num_rows) == (names, len(rows))


def test_the_log_has_one_format(example: Path) -> None:
    answer = ask(example, "export", "--format", "csv")

    assert (answer.status, "name one with --what" in answer.problem) == (2, True)
