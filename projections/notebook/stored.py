"""Events of some types as they are stored, in bounded pages, with the payload in its newest shape."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import select

from ledger.engines.database import transaction
from ledger.errors import UnreadableEventError
from ledger.events import Event, wire_name
from ledger.schema import events
from ledger.store import Ledger
from projections.errors import ProjectionError

PAGE_EVENTS = 20_000


class Stored(NamedTuple):
    """One event: its position, its time, and its payload as stored or, of an older shape, as lifted."""

    position: int
    recorded_us: int
    type: str
    schema_version: int
    payload: bytes


_COLUMNS = [events.c[name] for name in Stored._fields]


def pages(ledger: Ledger, classes: Sequence[type[Event]], through: int) -> Iterator[list[Stored]]:
    """The events of these classes up to a position. Raises ProjectionError for one that cannot be read."""
    names, after = [wire_name(one) for one in classes], 0
    while page := _page(ledger, names, after, through):
        yield [one if _is_newest(ledger, one) else _lifted(ledger, one) for one in page]
        after = page[-1].position


def event_of(ledger: Ledger, stored: Stored) -> Event:
    """The event. Raises ProjectionError."""
    try:
        return ledger.codec.decode(stored.type, stored.schema_version, stored.payload)
    except UnreadableEventError as error:
        raise ProjectionError(stored.position, stored.type, str(error)) from error


def _page(ledger: Ledger, names: Sequence[str], after: int, through: int) -> list[Stored]:
    position = events.c.position
    query = select(*_COLUMNS).where(position > after, position <= through, events.c.type.in_(names))
    with transaction(ledger.engine) as connection:
        # From the driver's cursor, as the ledger reads: a Row for each event would take longer than the disk.
        cursor = connection.execute(query.order_by(position).limit(PAGE_EVENTS)).cursor
        assert cursor is not None
        return list(map(Stored._make, cursor.fetchall()))


def _is_newest(ledger: Ledger, stored: Stored) -> bool:
    return ledger.codec.schema_versions.get(stored.type) == stored.schema_version


def _lifted(ledger: Ledger, stored: Stored) -> Stored:
    event_type, schema_version, payload = ledger.codec.encode(event_of(ledger, stored))
    return Stored(stored.position, stored.recorded_us, event_type, schema_version, payload)
