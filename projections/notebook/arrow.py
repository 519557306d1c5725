"""The tables as Arrow batches: pyarrow reads the stored JSON itself, so that no cell becomes a Python object."""

import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import IO, Any, Literal, Union, get_args, get_origin, get_type_hints

from ledger.events import Event, GameAbandoned, GameFinished, GameStarted
from ledger.store import Ledger
from projections.notebook.records import ENDED, STARTED, Game, Path
from projections.notebook.stored import PAGE_EVENTS, Stored, pages

BLOCK_BYTES = 64 * 1024 * 1024
"""More than a page of events: pyarrow cuts its input into blocks, and a line must fit into one."""


def reader_of_rows(row_type: type[Any], rows: Iterable[Any]) -> Any:
    """A pyarrow.RecordBatchReader of rows that are Python objects: for tables that have few."""
    import pyarrow as pa

    schema = _schema(row_type)
    return pa.RecordBatchReader.from_batches(schema, _batches(schema, iter(rows)))


def reader_of_events(
    ledger: Ledger, row_type: type[Any], event_class: type[Event], paths: Mapping[str, Path], through: int
) -> Any:
    """A reader of one row an event, a batch a page."""
    import pyarrow as pa

    schema = _schema(row_type)
    tables = (
        _table(page, event_class, paths, schema).select(schema.names)
        for page in pages(ledger, (event_class,), through)
    )
    return pa.RecordBatchReader.from_batches(schema, (batch for one in tables for batch in one.to_batches()))


def reader_of_games(ledger: Ledger, through: int) -> Any:
    """A reader of all games: each start, joined with the end that bears its id."""
    import pyarrow as pa
    import pyarrow.compute as pc

    schema = _schema(Game)
    started = _whole(ledger, GameStarted, STARTED, through).rename_columns({"time": "started"})
    ends = [
        _with_word(_whole(ledger, event_class, ENDED, through), "outcome", word)
        for event_class, word in ((GameFinished, "finished"), (GameAbandoned, "abandoned"))
    ]
    ended = pa.concat_tables(ends).rename_columns({"time": "ended", "position": "end_position"})
    games = started.join(ended, "game_id", join_type="left outer").sort_by("position")
    outcome = pc.fill_null(games["outcome"], "open")
    games = games.set_column(games.schema.get_field_index("outcome"), "outcome", outcome)
    return games.select(schema.names).cast(schema).to_reader()


def write_batches(reader: Any, file: IO[bytes]) -> None:
    """Write a reader's batches as Parquet."""
    import pyarrow.parquet as pq

    with pq.ParquetWriter(file, reader.schema) as parquet:
        for batch in reader:
            parquet.write_batch(batch)


def _schema(row_type: type[Any]) -> Any:
    import pyarrow as pa

    return pa.schema([(name, _type(hint)) for name, hint in get_type_hints(row_type).items()])


def _type(hint: Any) -> Any:
    import pyarrow as pa

    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (one for one in get_args(hint) if one is not type(None))
    if get_origin(hint) is Literal:
        hint = str
    known = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_()}
    return pa.timestamp("us", tz="UTC") if hint is datetime else known[hint]


def _batches(schema: Any, rows: Iterator[Any]) -> Iterator[Any]:
    import pyarrow as pa

    while page := list(islice(rows, PAGE_EVENTS)):
        columns = [pa.array(column, one.type) for column, one in zip(zip(*page, strict=True), schema, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _whole(ledger: Ledger, event_class: type[Event], paths: Mapping[str, Path], through: int) -> Any:
    """All events of a class as one table, with the columns of a game."""
    import pyarrow as pa

    schema = _schema(Game)
    empty = _table([], event_class, paths, schema)
    found = [_table(page, event_class, paths, schema) for page in pages(ledger, (event_class,), through)]
    return pa.concat_tables([empty, *found])


def _with_word(table: Any, name: str, word: str) -> Any:
    import pyarrow as pa

    return table.append_column(name, pa.array([word] * table.num_rows, pa.string()))


def _table(page: Sequence[Stored], event_class: type[Event], paths: Mapping[str, Path], schema: Any) -> Any:
    """Position, time and the columns of some events of one class; null where an event has no such field."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wire = dict(zip(event_class.__struct_fields__, event_class.__struct_encode_fields__, strict=True))
    wanted = {name: (wire.get(str(path[0]), str(path[0])), *path[1:]) for name, path in paths.items()}
    read = _parsed(page, _stored_schema(wanted, schema))
    time = pc.cast(read["recorded_us"], pa.timestamp("us", tz="UTC"))
    columns = {"position": read["position"], "time": time}
    for name, (first, *steps) in wanted.items():
        columns[name] = read[first]
        for step in steps:
            take = pc.list_element if isinstance(step, int) else pc.struct_field
            columns[name] = take(columns[name], step)
    return pa.table(columns)


def _parsed(page: Sequence[Stored], schema: Any) -> Any:
    import pyarrow as pa
    from pyarrow import json

    if not page:
        return schema.empty_table()
    # A payload is an object of at least one field: position and time go in before it.
    lines = (
        b'{"position":%d,"recorded_us":%d,%b' % (one.position, one.recorded_us, one.payload[1:]) for one in page
    )
    return json.read_json(
        pa.BufferReader(b"\n".join(lines)),
        read_options=json.ReadOptions(block_size=BLOCK_BYTES),
        parse_options=json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
    )


def _stored_schema(wanted: Mapping[str, Sequence[str | int]], schema: Any) -> Any:
    """What is to be read of the stored JSON, and of which type it is."""
    import pyarrow as pa

    fields: dict[str, Any] = {"position": pa.int64(), "recorded_us": pa.int64()}
    inner: dict[str, list[Any]] = {}
    for name, (first, *steps) in wanted.items():
        kind = schema.field(name).type
        match steps:
            case []:
                fields[str(first)] = kind
            case [int()]:
                fields[str(first)] = pa.list_(kind)
            case [str(step)]:
                inner.setdefault(str(first), []).append(pa.field(step, kind))
    return pa.schema([*fields.items(), *((name, pa.struct(parts)) for name, parts in inner.items())])
