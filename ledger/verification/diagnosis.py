"""What is wrong with a row that does not fit the chain: hypotheses, proved or dropped by recomputing hashes."""

import re
from collections.abc import Iterator
from typing import NamedTuple, get_args

from ledger.events import EVENT_TYPES
from ledger.rows import Row, Rows
from ledger.streams import FAMILY_PREFIXES, GAME_PREFIXES
from ledger.verification.findings import Kind
from ledger.vocabulary import ALIASES, DECISIONS, MOVES, Result, Winner

_WORDS = tuple(
    frozenset(word.encode() for word in words)
    for words in (get_args(Winner), MOVES, get_args(Result), ALIASES, DECISIONS, ("true", "false"))
)
RENUMBERED_MAX = 20_000
"""To try so many takes a tenth of a second, ten times at most: then the walk stops."""
BITS_TRIED_BYTES = 8_192
_SCHEMA_VERSIONS = range(1, 17)
_TAG = re.compile(rb'"type":"([a-z_.]+)"')
_STREAMS = {
    re.compile(rb'"game_id":"([^"]+)"'): GAME_PREFIXES,
    re.compile(rb'"model_type":"([^"]+)"'): FAMILY_PREFIXES,
}
_HASH_BITS_CLOSE = 64
"""Two unrelated hashes of 256 bits differ in 128, give or take 8 standard deviations of 8."""


class Diagnosis(NamedTuple):
    """What was found at a position, and the chain hash to go on from; None: what follows cannot be checked."""

    kind: Kind
    text: str
    next_hash: bytes | None
    other_position: int | None = None
    """Where the rest of the same change is to be seen."""
    other_hash: bytes | None = None
    """The chain hash to go on from there; None where no event has its place."""


def diagnose_row(rows: Rows, previous: bytes, row: Row) -> Diagnosis:
    """Why a row at its dense position does not give its chain hash after `previous`."""
    position = row.position
    following = rows.at(position + 1)
    own_hash = row.hash_after(previous)
    if own_hash is not None and following is not None and following.follows(own_hash):
        return _hash_edited(own_hash)
    if (home := rows.find(previous, position, besides=position)) is not None:
        return _displaced(rows, row, home)
    if following is None:
        near = own_hash is not None and _bits_apart(own_hash, row.chain_hash) < _HASH_BITS_CLOSE
        return _hash_edited(own_hash) if near else _edited(rows, previous, row)
    if following.follows(row.chain_hash):
        return _exchanged_columns(rows, previous, row) or _edited(rows, previous, row)
    if following.hash_after(previous, position) == row.chain_hash:
        return _without_hashes(row, following)
    if removed := _removed_before(row, following):
        text = f"{removed} event{'s' * (removed > 1)} taken out here and the later ones renumbered"
        return Diagnosis("renumbered", text, None)
    edited = _edited(rows, previous, row)
    return edited._replace(text=f"{edited.text}; nor does the event after it fit, so more may have been done here")


def diagnose_gap(rows: Rows, previous: bytes, expected: int, found: int) -> Diagnosis:
    """Why no row stands at `expected`, where the next one stands at `found`."""
    if (home := rows.find(previous, expected)) is not None:
        return moved_to(home)
    missing = found - expected
    what = "the event is missing" if missing == 1 else f"{missing} events are missing, up to position {found - 1}"
    return Diagnosis("missing", what, None)


def moved_to(home: Row) -> Diagnosis:
    """An event whose position was changed."""
    text = f"column position: the event that belongs here stands at {home.position}"
    return Diagnosis("moved", text, home.chain_hash, home.position)


def edited_column(rows: Rows, previous: bytes, row: Row) -> str:
    """Which column was changed, if putting back a likely value or a single bit makes the row fit again."""
    for column, value in _likely_values(rows, row):
        if _put_back(row, column, value).follows(previous):
            return f"column {column}: it is {_shown(getattr(row, column))} and was {_shown(value)}"
    for column in ("event_id", "stream", "type", "payload"):
        stored: bytes = getattr(row, column)
        for bit in range(8 * min(len(stored), BITS_TRIED_BYTES)):
            flipped = bytearray(stored)
            flipped[bit // 8] ^= 1 << bit % 8
            if _put_back(row, column, bytes(flipped)).follows(previous):
                return f"column {column}: bit {bit % 8} of byte {bit // 8} is flipped"
    for was, now, payload in _near_payloads(row.payload):
        if row._replace(payload=payload).follows(previous):
            return f"column payload: it says {_shown(now)} where it said {_shown(was)}"
    return "its columns (most likely payload, event_id or recorded_us) do not give its chain hash"


def _hash_edited(own_hash: bytes | None) -> Diagnosis:
    return Diagnosis("edited", "column chain_hash: it is not the hash of its row", own_hash)


def _edited(rows: Rows, previous: bytes, row: Row) -> Diagnosis:
    return Diagnosis("edited", edited_column(rows, previous, row), row.chain_hash)


def _displaced(rows: Rows, row: Row, home: Row) -> Diagnosis:
    """The event that belongs at `row`'s position is `home`, which stands elsewhere."""
    position, elsewhere = row.position, home.position
    before = home.chain_hash if elsewhere == position + 1 else _hash_at(rows, elsewhere - 1)
    if before is not None and row.follows(before, elsewhere):
        text = f"with the event at position {elsewhere}"
        return Diagnosis("swapped", text, home.chain_hash, elsewhere, row.chain_hash)
    if elsewhere > position and _goes_on(rows, home, position):
        extra = elsewhere - position
        several = f"{extra} events, up to position {elsewhere - 1}, are extra ones"
        what = "this event is an extra one" if extra == 1 else several
        return Diagnosis("inserted", f"{what}; the later ones are renumbered", None)
    text = f"another event stands here; the one that belongs here is at {elsewhere}"
    return Diagnosis("moved", text, home.chain_hash, elsewhere)


def _goes_on(rows: Rows, home: Row, position: int) -> bool:
    """Whether what belongs after `position` stands after `home`, so that not this event alone was moved up."""
    after = rows.at(home.position + 1)
    if after is not None:
        return after.follows(home.chain_hash, position + 1)
    # The last one of all. Were it moved up alone, the one that stood after it would be where it was.
    here = rows.at(position)
    return here is None or not here.follows(home.chain_hash, position + 1)


def _exchanged_columns(rows: Rows, previous: bytes, row: Row) -> Diagnosis | None:
    """Two rows may have changed places without their chain hashes."""
    for page in rows.pages():
        for other in map(Row._make, page):
            if other.position != row.position and other.hash_after(previous, row.position) == row.chain_hash:
                return _without_hashes(row, other)
    return None


def _without_hashes(row: Row, other: Row) -> Diagnosis:
    text = f"with the event at position {other.position}, but for their chain hashes"
    return Diagnosis("swapped", text, row.chain_hash, other.position, other.chain_hash)


def _removed_before(row: Row, following: Row) -> int | None:
    for removed in range(1, RENUMBERED_MAX + 1):
        if following.follows(row.chain_hash, following.position + removed):
            return removed
    return None


def _near_payloads(payload: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """(the word before, the word now, the payload with it put back): one word or one digit is another."""
    if len(payload) > BITS_TRIED_BYTES:
        return
    for words in _WORDS:
        for now in words:
            for found in re.finditer(rb"\b%b\b" % now, payload):
                for was in words - {now}:
                    yield was, now, payload[: found.start()] + was + payload[found.end() :]
    for found in re.finditer(rb"[0-9]", payload):
        for digit in b"0123456789":
            was = bytes([digit])
            yield was, found[0], payload[: found.start()] + was + payload[found.end() :]


def _put_back(row: Row, column: str, value: int | bytes) -> Row:
    columns = [value if name == column else kept for name, kept in zip(Row._fields, row, strict=True)]
    return Row._make(columns)


def _likely_values(rows: Rows, row: Row) -> list[tuple[str, int | bytes]]:
    values: list[tuple[str, int | bytes]] = [("version", rows.stream_version(row.stream, row.position) + 1)]
    values += [("schema_version", version) for version in _SCHEMA_VERSIONS]
    tags = [found[1] for found in [_TAG.search(row.payload)] if found]
    values += [("type", one) for one in (*tags, *(name.encode() for name in EVENT_TYPES))]
    for pattern, prefixes in _STREAMS.items():
        if found := pattern.search(row.payload):
            values += [("stream", prefix.encode() + found[1]) for prefix in prefixes]
    neighbours = (rows.at(row.position - 1), rows.at(row.position + 1))
    values += [("recorded_us", one.recorded_us) for one in neighbours if one]
    for column in ("version", "schema_version", "recorded_us"):
        stored: int = getattr(row, column)
        signed = [stored ^ 1 << bit for bit in range(63)]
        values += [(column, value) for value in (*signed, stored + 2**63)]
    return values


def _hash_at(rows: Rows, position: int) -> bytes | None:
    row = rows.at(position)
    return row.chain_hash if row else None


def _bits_apart(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def _shown(value: int | bytes) -> str:
    return str(value) if isinstance(value, int) else repr(value.decode("utf-8", "replace"))
