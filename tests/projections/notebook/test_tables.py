"""The tables, as the libraries of a data scientist take them."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas
import polars
import pyarrow
import pyarrow.parquet
import pytest

import projections
from ledger.store import Ledger
from ledger.verification.transfer import import_lines
from projections.errors import ProjectionError
from projections.notebook import stored
from projections.notebook.book import TABLES, Notebook
from projections.notebook.tables import Table, write_csv, write_lines, write_parquet
from tests.projections.stories import insert_raw

ALL = (*TABLES, "aliases")
FIRST_RELEASE = Path(__file__).parents[1] / "first_release.jsonl"


@pytest.fixture(params=ALL)
def table(request: pytest.FixtureRequest, example: Path) -> Table[Any]:
    table: Table[Any] = getattr(projections.open(example), request.param)()
    return table


def test_arrow_has_the_rows(table: Table[Any]) -> None:
    assert pyarrow.table(table).to_pylist() == [row._asdict() for row in table]


def test_older_shapes_and_several_pages_make_no_difference(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FIRST_RELEASE.open("rb") as lines:
        import_lines(ledger, lines)
    monkeypatch.setattr(stored, "PAGE_EVENTS", 7)
    notebook = Notebook(ledger)

    for name in ALL:
        table = getattr(notebook, name)()
        assert len(table) > 0
        assert pyarrow.table(table).to_pylist() == [row._asdict() for row in table]


def test_pandas_takes_the_rows_and_the_columns(table: Table[Any]) -> None:
    rows, columns = pandas.DataFrame(table), pandas.DataFrame.from_arrow(table)

    assert tuple(rows.columns) == tuple(columns.columns) == table.columns
    assert len(rows) == len(columns) == len(table)
    assert rows.position.tolist() == columns.position.tolist() == [row.position for row in table]


def test_polars_takes_the_rows_and_the_columns(table: Table[Any]) -> None:
    rows, columns = (
        polars.DataFrame(table, infer_schema_length=None),
        polars.DataFrame(polars.from_arrow(pyarrow.table(table))),
    )

    assert rows.columns == columns.columns == list(table.columns)
    assert columns.rows() == [tuple(row) for row in table]


def test_an_empty_ledger_has_empty_tables_with_all_columns(ledger: Ledger) -> None:
    notebook = Notebook(ledger)

    for name in ALL:
        table = getattr(notebook, name)()
        assert (list(table), pyarrow.table(table).column_names) == ([], list(table.columns))


def test_what_is_written_can_be_read(table: Table[Any], tmp_path: Path) -> None:
    text, lines = io.StringIO(), io.BytesIO()
    write_csv(table, text)
    write_lines(table, lines)
    with (tmp_path / "x.parquet").open("wb") as file:
        write_parquet(table, file)

    read = list(csv.DictReader(io.StringIO(text.getvalue())))
    assert [int(row["position"]) for row in read] == [row.position for row in table]
    assert set().union(*read) == set(table.columns)
    objects = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [one["position"] for one in objects] == [row.position for row in table]
    empty = [{name for name, cell in row.items() if cell == ""} for row in read]
    assert empty == [{name for name, value in one.items() if value in (None, "")} for one in objects]
    assert pyarrow.parquet.read_table(tmp_path / "x.parquet").to_pylist() == [row._asdict() for row in table]


def test_a_time_is_written_as_iso_8601_in_utc(example: Path) -> None:
    text = io.StringIO()
    with projections.open(example) as ledger:
        write_csv(ledger.rounds(), text)
        first = ledger.rounds()[0]

    row = next(csv.DictReader(io.StringIO(text.getvalue())))
    assert row["time"] == first.time.isoformat().replace("+00:00", "Z")
    assert row["time"].endswith("Z")


def test_an_event_that_cannot_be_read_is_named_with_its_position_and_type(ledger: Ledger) -> None:
    position = insert_raw(ledger, "game.finished", b"{}")

    with pytest.raises(ProjectionError, match=f"position {position} \\(game.finished\\)") as caught:
        list(Notebook(ledger).games())

    assert (caught.value.position, caught.value.event_type) == (position, "game.finished")
