"""What was given: events as entries, with and without a database."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from sqlalchemy import Engine, event, text

from ledger import schema as log
from ledger.appends import Receipt
from ledger.chain import GENESIS, leaf, link
from ledger.codec import Codec
from ledger.engines.database import disposing, open_engine
from ledger.entries import Entry
from ledger.events import Event
from ledger.ids import new_id
from ledger.schema import events
from ledger.store import Ledger
from ledger.streams import stream_of
from projections import projector
from projections import schema as read_models
from projections.projection import Projection, StateFold, Tracked
from projections.read_models.all import ReadModels
from projections.schema import projection_checkpoints, promotion_history
from tests.postgresql import Server

State = TypeVar("State")

BEGIN_US = 1_760_083_200_000_000
"""2025-10-10T08:00:00Z."""
SECOND_US = 1_000_000


class Clock:
    """Stands still until a test moves it; in seconds since the epoch."""

    def __init__(self) -> None:
        self.now = BEGIN_US / SECOND_US

    def __call__(self) -> float:
        return self.now


@contextmanager
def scratch_ledger(pages: int = 2_000, server: Server | None = None) -> Iterator[Ledger]:
    """A ledger for one example, read in pages of this size; it need not outlive a power cut."""
    with pytest.MonkeyPatch.context() as patch, _scratch_engine(server) as engine:
        patch.setattr(projector, "PAGE_ENTRIES", pages)
        for read in (Ledger.read, Ledger.pages):
            patch.setattr(read, "__kwdefaults__", {**(read.__kwdefaults__ or {}), "limit": pages})
        yield Ledger(engine)


@contextmanager
def _scratch_engine(server: Server | None) -> Iterator[Engine]:
    if server is not None:
        with server.ledger() as url, disposing(open_engine(url)) as engine:
            yield engine
        return
    with (
        TemporaryDirectory() as folder,
        disposing(open_engine(f"sqlite:///{Path(folder) / 'ledger.db'}")) as engine,
    ):
        event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF"))
        log.metadata.create_all(engine)
        read_models.metadata.create_all(engine)
        yield engine


def entries(events: Iterable[Event]) -> list[tuple[Entry, Event]]:
    """The events as a ledger numbers them, the first at BEGIN_US and each a second after the one before."""
    encode, versions = Codec().encode, dict[str, int]()
    numbered, chain_hash = [], GENESIS
    for position, happened in enumerate(events, start=1):
        stream = stream_of(happened)
        version = versions[stream] = versions.get(stream, 0) + 1
        event_type, schema_version, payload = encode(happened)
        recorded_us = BEGIN_US + (position - 1) * SECOND_US
        columns = (position, f"e{position}", stream, version, event_type, schema_version, recorded_us, payload)
        chain_hash = link(chain_hash, leaf(*columns))
        numbered.append((Entry(*columns, chain_hash), happened))
    return numbered


def folded(projection: Projection[State], *events: Event) -> State:
    """The state after these events and nothing else."""
    tracked = Tracked(projection)
    StateFold(Codec(), [tracked])([entry for entry, _ in entries(events)])
    return tracked.state


def append(ledger: Ledger, *events: Event) -> Receipt:
    """Append each event to the stream that it belongs to; the last one's receipt."""
    for happened in events:
        stream = stream_of(happened)
        receipt = ledger.append(stream, [happened], ledger.version(stream))
    return receipt


def insert_raw(ledger: Ledger, event_type: str, payload: bytes, *, schema_version: int = 1) -> int:
    """Write an entry that no codec would, properly numbered and chained; its position."""
    head = ledger.head()
    stream = f"raw-{head.position + 1}"
    columns = (head.position + 1, new_id(), stream, 1, event_type, schema_version, head.recorded_us, payload)
    entry = Entry(*columns, link(head.chain_hash, leaf(*columns)))
    with ledger.engine.begin() as connection:
        connection.execute(events.insert().values(entry._asdict()))
    return entry.position


def execute(engine: Engine, statement: str, **values: object) -> None:
    """Do what no program should: change the database behind the code, in SQLite's words on every engine."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))  # no trigger is in the way
            statement = re.sub(r"zeroblob\((\d+)\)", r"decode(repeat('00', \1), 'hex')", statement)
            statement = re.sub(r"x'([0-9a-f]+)'", r"decode('\1', 'hex')", statement)
        connection.execute(text(statement), values)


def caught_up(ledger: Ledger) -> ReadModels:
    """Read models that have replayed everything, whatever snapshots there are."""
    read_models = ReadModels(ledger)
    read_models.projector.catch_up()
    return read_models


def restarted(ledger: Ledger) -> ReadModels:
    """Read models as a new process makes them: from the snapshots, if there are any."""
    read_models = ReadModels(ledger)
    read_models.projector.start()
    return read_models


def states(read_models: ReadModels) -> dict[str, bytes]:
    """Projection -> its encoded state; all at one position."""
    positions = {one.position for one in read_models.tracked}
    assert positions == {read_models.projector.position}
    return {one.projection.name: one.encode() for one in read_models.tracked}


def table_rows(engine: Engine) -> list[dict[str, Any]]:
    """All rows of the promotion history, in order of their id."""
    with engine.connect() as connection:
        return [
            dict(row)
            for row in connection.execute(promotion_history.select().order_by(promotion_history.c.id)).mappings()
        ]


def forget_rows(engine: Engine) -> None:
    """Drop the promotion history with its checkpoint, as a new database has none."""
    with engine.begin() as connection:
        connection.execute(promotion_history.delete())
        connection.execute(projection_checkpoints.delete())
