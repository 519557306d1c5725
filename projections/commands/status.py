"""status: how far the ledger goes, and how far everything that reads it has come."""

from collections.abc import Iterator
from typing import Any

import click
import msgspec
from msgspec import structs
from sqlalchemy import func, select

from ledger.engines.database import transaction
from ledger.entries import Head
from ledger.schema import events
from ledger.sealing.seals import last_seal
from ledger.store import Ledger
from ledger.times import show_time
from ledger.verification.walk import verify
from projections.commands.console import bad, finding, good, json_option, print_json, print_table, say
from projections.commands.source import Source, pass_source
from projections.schema import projection_checkpoints, projection_snapshots

RECENT_EVENTS = 1_024
"""How many entries `status` verifies: those that one seal covers."""


class ReadModel(msgspec.Struct, frozen=True):
    """A stored read model: how it is kept, and how far it has come."""

    name: str
    kind: str
    position: int
    lag: int


class Status(msgspec.Struct, frozen=True):
    """What `status` says; `problems` are what must not be."""

    head: dict[str, Any]
    intact: bool
    chain: str
    last_seal: dict[str, int] | None
    events: dict[str, int]
    projections: tuple[ReadModel, ...]
    problems: tuple[str, ...]


@click.command()
@json_option
@pass_source
def status(source: Source, as_json: bool) -> None:
    """Say how long the ledger is, what is in it, and how far everything that reads it has come.

    Example: rps-audit status
    """
    found = read_status(source.reader())
    if as_json:
        print_json(found)
    else:
        _print(found)
    if found.problems:
        finding()


def _print(found: Status) -> None:
    seal = found.last_seal
    rows: list[tuple[str, Any]] = [
        ("head", found.head["position"]),
        ("chain hash", found.head["chain_hash"]),
        ("recorded", found.head["recorded"]),
        ("chain", good(found.chain) if found.intact else bad(found.chain)),
        ("last seal", f"over {seal['size']:,} events, {_since(seal['unsealed'])}" if seal else "none"),
    ]
    print_table("Ledger", ("what", "now"), rows)
    print_table("Events", ("type", "count"), list(found.events.items()))
    lags = [structs.astuple(one) for one in found.projections]
    print_table("Stored read models", ("name", "kept as", "position", "events behind"), lags)
    for problem in found.problems:
        say(bad(problem))


def _since(unsealed: int) -> str:
    return f"{unsealed:,} since" if unsealed >= 0 else f"{-unsealed:,} of them not in the log"


def read_status(ledger: Ledger) -> Status:
    """The ledger's status, as far as it can be had at once. Raises StorageError."""
    # The head last: what is appended meanwhile must not make those that read it look as if they were beyond it.
    seal, stored, head = last_seal(ledger), _read_models(ledger), ledger.head()
    models = tuple(ReadModel(name, kind, position, head.position - position) for name, kind, position in stored)
    first = max(1, head.position - RECENT_EVENTS + 1)
    report = verify(ledger, first=first)
    fits = f"positions {first:,} to {head.position:,} fit; `verify` checks them all"
    sound = fits if head.position else "the ledger is empty"
    return Status(
        head={
            "position": head.position,
            "chain_hash": head.chain_hash,
            "recorded": show_time(head.recorded_us) if head.position else None,
        },
        intact=report.intact,
        chain=sound if report.intact else "does not fit; `verify` says more",
        last_seal={"size": seal.size, "unsealed": head.position - seal.size} if seal else None,
        events=_counts(ledger),
        projections=models,
        problems=(*map(str, report.findings), *_beyond(head, seal.size if seal else 0, models)),
    )


def _beyond(head: Head, sealed: int, models: tuple[ReadModel, ...]) -> Iterator[str]:
    """A reader that is further than the log has read its tail before it was cut."""
    if sealed > head.position:
        yield f"the last seal covers {sealed:,} events, and the log ends at {head.position:,}: its tail is cut"
    for one in models:
        if one.lag < 0:
            yield f"{one.name} stands at position {one.position:,}, and the log ends at {head.position:,}"


def _counts(ledger: Ledger) -> dict[str, int]:
    query = select(events.c.type, func.count()).group_by(events.c.type).order_by(events.c.type)
    with transaction(ledger.engine) as connection:
        return {str(event_type): int(count) for event_type, count in connection.execute(query)}


def _read_models(ledger: Ledger) -> list[tuple[str, str, int]]:
    kept = (("snapshot", projection_snapshots), ("table", projection_checkpoints))
    with transaction(ledger.engine) as connection:
        return [
            (row.name, kind, row.position)
            for kind, table in kept
            for row in connection.execute(select(table.c.name, table.c.position).order_by(table.c.name))
        ]
