"""Bare passes over a ledger's file, without anything of ours but the shapes of events: `python -m bench.passes`.

    python -m bench.passes chain|events|facts FILE

What a command is compared with: each reads what the command cannot do without reading, and prints what it found.
"""

import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from struct import Struct

import msgspec

from ledger.events import Event

PAGE_ROWS = 2_000
_PROMOTION_AND_ENDS = "type = 'game.finished' OR type GLOB 'promotion.*'"


def chain(connection: sqlite3.Connection) -> str:
    """Select everything and hash it in order; what `rps-audit verify` has to do. Prints the last hash."""
    connection.text_factory = bytes
    previous, integers = bytes(32), Struct(">4Q").pack
    for row in connection.execute("SELECT * FROM events ORDER BY position"):
        position, event_id, stream, version, kind, schema_version, recorded_us, payload, _ = row
        numbers = integers(position, version, schema_version, recorded_us)
        leaf = sha256(numbers + event_id + stream + kind + payload).digest()
        previous = sha256(previous + leaf).digest()
    return previous.hex()


def events(connection: sqlite3.Connection) -> str:
    """Select pages, decode into the same union, count by type; what a replay has to do. Prints how many."""
    return str(sum(count_events(connection).values()))


def facts(connection: sqlite3.Connection) -> str:
    """Decode the promotion's events and the ends of games, in order. Prints how many."""
    decode = msgspec.json.Decoder(Event).decode
    query = f"SELECT payload FROM events WHERE {_PROMOTION_AND_ENDS} ORDER BY position"
    return str(sum(1 for (payload,) in connection.execute(query) if decode(payload)))


def count_events(connection: sqlite3.Connection) -> Counter[type]:
    """Event class -> how many there are, read in pages as a projector reads them."""
    decode = msgspec.json.Decoder(Event).decode
    query = (
        "SELECT position, type, schema_version, recorded_us, payload FROM events"
        f" WHERE position > ? ORDER BY position LIMIT {PAGE_ROWS}"
    )
    counts: Counter[type] = Counter()
    after = 0
    while page := connection.execute(query, (after,)).fetchall():
        for row in page:
            counts[type(decode(row[4]))] += 1
        after = page[-1][0]
    return counts


PASSES: dict[str, Callable[[sqlite3.Connection], str]] = {"chain": chain, "events": events, "facts": facts}


def main(name: str, file: str) -> None:
    """Make one pass."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        print(PASSES[name](connection))  # noqa: T201
    finally:
        connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
