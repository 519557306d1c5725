"""log, show: the events themselves."""

import struct
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import click
import msgspec

from ledger.chain import GENESIS
from ledger.entries import Entry
from ledger.errors import DamagedError, UnreadableEventError
from ledger.events import EVENT_TYPES, Event
from ledger.rows import Row, Rows, misfit
from ledger.store import Ledger
from ledger.times import show_time
from projections.audit.summaries import summary
from projections.commands.console import (
    json_option,
    model_type_option,
    print_json,
    print_payload,
    print_table,
    printable,
    remark,
    say,
)
from projections.commands.numbers import WholeType
from projections.commands.positions import PositionType, TimeType
from projections.commands.source import Source, pass_source
from projections.errors import PositionError
from projections.positions import check_position, check_span, position_at

FOLLOW_SECONDS = 0.5
LIMIT = 20
UNREADABLE = "an event that cannot be read"


@click.command()
@click.option("--stream", default=None, help="One stream only, by its name.")
@click.option("--type", "event_type", type=click.Choice(EVENT_TYPES), help="One type of event only.")
@model_type_option
@click.option("--since", type=TimeType(), default=None, help="Not before this time, such as 2026-11-12 or -2h.")
@click.option("--until", type=TimeType(), default=None, help="Not after this time.")
@click.option("--limit", type=WholeType(1), default=None, help=f"The newest so many.  [default: {LIMIT}]")
@click.option("--follow", is_flag=True, help="Go on with what is appended, until interrupted.")
@json_option
@pass_source
def log(
    source: Source,
    stream: str | None,
    event_type: str | None,
    model_type: str | None,
    since: int | None,
    until: int | None,
    limit: int | None,
    follow: bool,
    as_json: bool,
) -> None:
    """List events, the newest last. As JSON: one object a line, with the payload.

    Example: rps-audit log --model-type xgboost --type promotion.cycle_decided --since 2026-11-12
    """
    check_span(since, until)
    ledger = source.reader()
    wanted = _Wanted(stream, event_type, model_type, since, until)
    if not follow:
        _check_wanted(ledger, wanted)
    head = ledger.head().position
    found = list(islice(_backwards(ledger, wanted, head), (limit or LIMIT) + 1))
    for entry, event in reversed(found[: limit or LIMIT]):
        _print_line(entry, event, as_json=as_json)
    if not found and not follow:
        remark("no event is like that")
    if limit is None and len(found) > LIMIT:
        remark(f"these are the newest {LIMIT}: --limit shows more")
    if follow:
        _follow(ledger, wanted, head, as_json=as_json)


def _check_wanted(ledger: Ledger, wanted: "_Wanted") -> None:
    """Refuse to look for what cannot be there: nothing would come, as if nothing had happened."""
    if wanted.stream is not None and not ledger.version(wanted.stream):
        raise PositionError(f"there is no stream {wanted.stream!r}")
    if wanted.until_us is not None:
        position_at(ledger, wanted.until_us)


def _follow(ledger: Ledger, wanted: "_Wanted", head: int, *, as_json: bool) -> None:
    """Print what is appended, until interrupted or until nothing wanted can come any more."""
    over = False
    while not over:
        # Asked before the pages are read, so that what was recorded in time is still printed.
        over = wanted.until_us is not None and ledger.now_us() > wanted.until_us
        for page in ledger.pages(head):
            for entry in map(_sound, page):
                event = _decoded(ledger, entry)
                if wanted.holds(entry, event):
                    _print_line(entry, event, as_json=as_json)
            head = page[-1].position
        if not over:
            time.sleep(FOLLOW_SECONDS)


class _Wanted(msgspec.Struct, frozen=True):
    stream: str | None
    event_type: str | None
    model_type: str | None
    since_us: int | None
    until_us: int | None

    def holds(self, entry: Entry, event: Event | None) -> bool:
        return (
            self.stream in (None, entry.stream)
            and self.event_type in (None, entry.type)
            and self.model_type in (None, getattr(event, "model_type", None))
            and (self.since_us is None or entry.recorded_us >= self.since_us)
            and (self.until_us is None or entry.recorded_us <= self.until_us)
        )


def _backwards(ledger: Ledger, wanted: _Wanted, head: int) -> Iterator[tuple[Entry, Event | None]]:
    """The wanted entries, the newest first."""
    for entry in _entries_backwards(ledger, wanted.stream, head):
        if wanted.since_us is not None and entry.recorded_us < wanted.since_us:
            return
        if wanted.event_type in (None, entry.type):
            event = _decoded(ledger, entry)
            if wanted.holds(entry, event):
                yield entry, event


def _entries_backwards(ledger: Ledger, stream: str | None, head: int) -> Iterator[Entry]:
    if stream is not None:
        yield from map(_sound, reversed(ledger.read_stream(stream)))
        return
    while head and (page := ledger.read(through=head, descending=True)):
        yield from map(_sound, page)
        head = page[-1].position - 1


def _sound(entry: Entry) -> Entry:
    if column := misfit(entry):
        raise DamagedError(f"{column} of position {entry.position}")
    return entry


def _decoded(ledger: Ledger, entry: Entry) -> Event | None:
    try:
        return ledger.decode(entry)
    except UnreadableEventError:
        return None  # its columns are shown all the same


def _print_line(entry: Entry, event: Event | None, *, as_json: bool) -> None:
    if as_json:
        print_json(_record(entry, event))
        return
    model = getattr(event, "model_type", "-")
    line = f"{entry.position:>8}  {show_time(entry.recorded_us)}  {entry.type:<26}  {model:<20}  {_summary(event)}"
    click.echo(printable(line))


def _record(entry: Entry, event: Event | None) -> dict[str, Any]:
    payload = msgspec.to_builtins(event) if event is not None else entry.payload.decode("utf-8", "replace")
    recorded = show_time(entry.recorded_us)
    return {**entry._asdict(), "recorded": recorded, "summary": _summary(event), "payload": payload}


def _summary(event: Event | None) -> str:
    return summary(event) if event is not None else UNREADABLE


@click.command()
@click.argument("position", type=PositionType())
@json_option
@pass_source
def show(source: Source, position: int, as_json: bool) -> None:
    """Show one event: its columns, its payload, and how it hangs in the chain.

    Example: rps-audit show 4711
    """
    ledger = source.reader()
    check_position(ledger, position)
    rows = Rows(ledger.engine)
    row = rows.at(position)
    if row is None:
        raise PositionError(f"no event stands at position {position}: run `rps-audit verify`")
    if column := row.misfit():
        raise PositionError(f"position {position} holds no event, by its {column}: run `rps-audit verify`")
    entry = _entry(row)
    event, chain = _decoded(ledger, entry), _neighbours(rows, row)
    if as_json:
        print_json({**_record(entry, event), "chain": chain})
        return
    columns = {**entry._asdict(), "recorded": show_time(row.recorded_us)}
    shown: list[tuple[str, Any]] = [(name, str(columns[name])) for name in (*Row._fields[:7], "recorded")]
    shown += [("chain_hash", row.chain_hash), *chain.items()]
    print_table(_summary(event), ("column", "value"), shown)
    if event is None:
        say(printable(row.payload.decode("utf-8", "backslashreplace")))
    else:
        print_payload(row.payload)


def _entry(row: Row) -> Entry:
    """The row with its texts as text, be they UTF-8 or not: it is shown where something is wrong."""
    texts = {name: getattr(row, name).decode("utf-8", "replace") for name in ("event_id", "stream", "type")}
    return Entry(**{**row._asdict(), **texts})


def _neighbours(rows: Rows, row: Row) -> dict[str, str | bool | None]:
    """How the row hangs in the chain; None where there is nothing to compare it with."""
    before, after = rows.at(row.position - 1), rows.at(row.position + 1)
    previous = before.chain_hash if before else GENESIS if row.position == 1 else None
    return {
        "previous_hash": previous.hex() if previous else None,
        "leaf": _leaf(row),
        "fits_previous": row.follows(previous) if previous else None,
        "next_fits": after.follows(row.chain_hash) if after else None,
    }


def _leaf(row: Row) -> str | None:
    try:
        return row.leaf().hex()
    except struct.error:  # a number below zero, which no event can have had
        return None
