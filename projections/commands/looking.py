"""status, log, show: what is in the ledger."""

import time
from collections.abc import Iterator
from typing import Any

import click
import msgspec
from sqlalchemy import func, select

from ledger.audit import verify
from ledger.engines import transaction
from ledger.errors import UnreadableEventError
from ledger.events import EVENT_TYPES, Event
from ledger.rows import Rows
from ledger.schema import events, projection_checkpoints, projection_snapshots
from ledger.seals import last_seal
from ledger.store import Entry, Ledger
from projections.commands.console import (
    bad,
    good,
    json_option,
    model_option,
    print_json,
    print_payload,
    print_table,
)
from projections.commands.source import Source
from projections.moments import check_position, parse_time, show_time
from projections.summaries import summary

FOLLOW_SECONDS = 0.5
RECENT_EVENTS = 1_024
"""How many entries `status` verifies: those that one seal covers."""


@click.command()
@json_option
@click.pass_obj
def status(source: Source, as_json: bool) -> None:
    """Say how long the ledger is, what is in it, and how far everything that reads it has come.

    Example: rps-audit status
    """
    found = _status(source.reader())
    if as_json:
        print_json(found)
        return
    head, seal = found["head"], found["last_seal"]
    chain = good(found["chain"]) if found["intact"] else bad(found["chain"])
    rows: list[tuple[str, Any]] = [
        ("head", head["position"]),
        ("chain hash", head["chain_hash"]),
        ("recorded", head["recorded"]),
        ("chain", chain),
        ("last seal", f"over {seal['size']:,} events, {seal['unsealed']:,} since" if seal else "none"),
    ]
    print_table("Ledger", ("what", "now"), rows)
    print_table("Events", ("type", "count"), list(found["events"].items()))
    lags = [(one["name"], one["kind"], one["position"], one["lag"]) for one in found["projections"]]
    print_table("Stored read models", ("name", "kept as", "position", "events behind"), lags)


def _status(ledger: Ledger) -> dict[str, Any]:
    head, seal = ledger.head(), last_seal(ledger)
    with transaction(ledger.engine) as connection:
        query = select(events.c.type, func.count()).group_by(events.c.type).order_by(events.c.type)
        counts = {str(event_type): int(count) for event_type, count in connection.execute(query)}
        kept = [("snapshot", projection_snapshots), ("table", projection_checkpoints)]
        stored = [
            {"name": row.name, "kind": kind, "position": row.position, "lag": head.position - row.position}
            for kind, table in kept
            for row in connection.execute(select(table.c.name, table.c.position).order_by(table.c.name))
        ]
    first = max(1, head.position - RECENT_EVENTS + 1)
    report = verify(ledger, first=first)
    fine = f"positions {first:,} to {head.position:,} fit; `verify` checks them all"
    return {
        "head": {
            "position": head.position,
            "chain_hash": head.chain_hash.hex(),
            "recorded": show_time(head.recorded_us) if head.position else None,
        },
        "intact": report.intact,
        "chain": fine if report.intact else str(report.findings[0]),
        "last_seal": {"size": seal.size, "unsealed": head.position - seal.size} if seal else None,
        "events": counts,
        "projections": stored,
    }


@click.command()
@click.option("--stream", default=None, help="One stream only, by its name.")
@click.option("--type", "event_type", type=click.Choice(EVENT_TYPES), help="One type of event only.")
@model_option
@click.option("--since", default=None, help="Not before this ISO 8601 time.")
@click.option("--until", default=None, help="Not after this ISO 8601 time.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="The newest so many.")
@click.option("--follow", is_flag=True, help="Go on with what is appended, until interrupted.")
@json_option
@click.pass_obj
def log(
    source: Source,
    stream: str | None,
    event_type: str | None,
    model: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    follow: bool,
    as_json: bool,
) -> None:
    """List events, the newest last. As JSON: one object a line, with the payload.

    Example: rps-audit log --model xgboost --type promotion.cycle_decided --since 2026-11-12
    """
    ledger = source.reader()
    wanted = _Wanted(
        stream,
        event_type,
        model,
        parse_time(since) if since else None,
        parse_time(until) if until else None,
    )
    head = ledger.head().position
    for entry, event in _newest(ledger, wanted, limit, head):
        _print_line(entry, event, as_json=as_json)
    while follow:
        for page in ledger.pages(head):
            for entry in page:
                event = ledger.decode(entry)
                if wanted.holds(entry, event):
                    _print_line(entry, event, as_json=as_json)
            head = page[-1].position
        time.sleep(FOLLOW_SECONDS)


class _Wanted(msgspec.Struct, frozen=True):
    stream: str | None
    event_type: str | None
    model: str | None
    since_us: int | None
    until_us: int | None

    def holds(self, entry: Entry, event: Event) -> bool:
        return (
            self.stream in (None, entry.stream)
            and self.event_type in (None, entry.type)
            and self.model in (None, getattr(event, "model_type", None))
            and (self.since_us is None or entry.recorded_us >= self.since_us)
            and (self.until_us is None or entry.recorded_us <= self.until_us)
        )


def _newest(ledger: Ledger, wanted: _Wanted, limit: int, head: int) -> list[tuple[Entry, Event]]:
    found: list[tuple[Entry, Event]] = []
    for entry in _backwards(ledger, wanted, head):
        if wanted.since_us is not None and entry.recorded_us < wanted.since_us:
            break
        if wanted.event_type not in (None, entry.type):
            continue
        event = ledger.decode(entry)
        if wanted.holds(entry, event):
            found.append((entry, event))
            if len(found) == limit:
                break
    return found[::-1]


def _backwards(ledger: Ledger, wanted: _Wanted, head: int) -> Iterator[Entry]:
    if wanted.stream is not None:
        yield from reversed(ledger.read_stream(wanted.stream))
        return
    while head and (page := ledger.read(through=head, descending=True)):
        yield from page
        head = page[-1].position - 1


def _print_line(entry: Entry, event: Event, *, as_json: bool) -> None:
    if as_json:
        print_json(_record(entry, event))
        return
    model = getattr(event, "model_type", "-")
    click.echo(
        f"{entry.position:>8}  {show_time(entry.recorded_us)}  {entry.type:<26}  {model:<20}  {summary(event)}"
    )


def _record(entry: Entry, event: Event | None) -> dict[str, Any]:
    columns = entry._asdict()
    payload = msgspec.to_builtins(event) if event is not None else entry.payload.decode("utf-8", "replace")
    return {**columns, "recorded": show_time(entry.recorded_us), "payload": payload}


@click.command()
@click.argument("position", type=click.INT)
@json_option
@click.pass_obj
def show(source: Source, position: int, as_json: bool) -> None:
    """Show one event: its columns, its payload, and how it hangs in the chain.

    Example: rps-audit show 4711
    """
    ledger = source.reader()
    check_position(ledger, position)
    entry = ledger.read(position - 1, limit=1)[0]
    rows = Rows(ledger.engine)
    row, before, after = rows.at(position), rows.at(position - 1), rows.at(position + 1)
    assert row is not None
    previous = before.chain_hash if before else bytes(32)
    neighbours = {
        "previous_hash": previous.hex(),
        "leaf": row.leaf().hex(),
        "fits_previous": row.hash_after(previous) == row.chain_hash,
        "next_fits": None if after is None else after.hash_after(row.chain_hash) == after.chain_hash,
    }
    try:
        event = ledger.decode(entry)
    except UnreadableEventError:
        event = None  # its bytes are shown as they are
    if as_json:
        print_json({**_record(entry, event), "chain": neighbours})
        return
    shown: list[tuple[str, Any]] = [
        (name, str(value)) for name, value in entry._asdict().items() if isinstance(value, int | str)
    ]
    shown.insert(7, ("recorded", show_time(entry.recorded_us)))
    shown += [("chain_hash", entry.chain_hash.hex()), *neighbours.items()]
    print_table(summary(event) if event else "an event that cannot be read", ("column", "value"), shown)
    if event is None:
        click.echo(entry.payload)
    else:
        print_payload(entry.payload)
