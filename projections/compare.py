"""What is stored of the read models against a full replay: they are caches, and have to be equal to it."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import select

from ledger.codec import DECODE_ERRORS
from ledger.engines import transaction
from ledger.schema import projection_checkpoints, projection_snapshots
from ledger.store import Ledger
from projections import history
from projections.history import History
from projections.replay import Replay, flatten, plain, read_rows
from projections.snapshots import unguarded

_SINCE = re.compile(r"since_us=(-?[0-9]+)").fullmatch
ABSENT = "(absent)"


class Difference(msgspec.Struct, frozen=True):
    """A value that is stored otherwise than a replay gives it."""

    read_model: str
    position: int
    path: str
    stored: Any
    replayed: Any


class Comparison(NamedTuple):
    """What was compared, as read model -> position, and what differs."""

    compared: dict[str, int]
    differences: list[Difference]


class _Stored(NamedTuple):
    name: str
    version: int
    settings: str
    position: int
    chain_hash: bytes
    state: bytes | None


def compare(ledger: Ledger, progress: Callable[[int], None] | None = None) -> Comparison:
    """Replay everything and compare it with each snapshot, and with the history table, at its own position."""
    stored = _stored(ledger)
    head = ledger.head().position
    replay = Replay(ledger, since_us=counters_since(ledger))
    differences: list[Difference] = []
    for one in sorted(stored, key=lambda one: one.position):
        if one.position > head:
            differences.append(Difference(one.name, one.position, "position", one.position, f"at most {head}"))
            continue
        replay.advance(one.position, progress)
        differences += _compare_one(ledger, replay, one)
    return Comparison({one.name: one.position for one in stored}, differences)


def counters_since(ledger: Ledger) -> int:
    """From which time on (microseconds since the epoch) the stored counters count; 0 when none are stored."""
    with transaction(ledger.engine) as connection:
        table = projection_snapshots
        settings = connection.scalar(select(table.c.settings).where(table.c.name == "counters"))
    found = _SINCE(settings or "")
    return int(found[1]) if found else 0


def _stored(ledger: Ledger) -> list[_Stored]:
    with transaction(ledger.engine) as connection:
        snapshots = [_Stored(*row) for row in connection.execute(select(projection_snapshots))]
        checkpoints = [
            _Stored(row.name, row.version, "", row.position, row.chain_hash, None)
            for row in connection.execute(select(projection_checkpoints))
        ]
    return snapshots + checkpoints


def _compare_one(ledger: Ledger, replay: Replay, stored: _Stored) -> Iterator[Difference]:
    def differs(path: str, is_stored: Any, replayed: Any) -> Difference:
        return Difference(stored.name, stored.position, path, is_stored, replayed)

    if replay.head.chain_hash != stored.chain_hash:
        yield differs("chain_hash", stored.chain_hash.hex(), replay.head.chain_hash.hex())
    if stored.state is None:
        if stored.version != history.VERSION:
            yield differs("version", stored.version, history.VERSION)
        yield from _unequal(differs, _by_id(read_rows(History(ledger))), _by_id(replay.history_rows()))
        return
    tracked = next((one for one in replay.read_models.tracked if one.projection.name == stored.name), None)
    if tracked is None:
        yield differs("name", stored.name, ABSENT)
        return
    settings = stored.version, stored.settings
    expected = tracked.projection.version, tracked.projection.settings
    if settings != expected:
        yield differs("version and settings", settings, expected)
        return
    encoded = unguarded(stored.state)
    if encoded is None:
        yield differs("state", "other bytes than were saved", "a state")
        return
    try:
        state = msgspec.msgpack.decode(encoded, type=type(tracked.state))
    except DECODE_ERRORS as error:
        yield differs("state", f"it does not decode: {error}", "a state")
        return
    yield from _unequal(differs, plain(state), plain(tracked.state))


def _by_id(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {str(row["id"]): row for row in rows}


def _unequal(differs: Callable[[str, Any, Any], Difference], stored: Any, replayed: Any) -> Iterator[Difference]:
    before, after = flatten(stored), flatten(replayed)
    for path in dict.fromkeys((*before, *after)):
        one, other = before.get(path, ABSENT), after.get(path, ABSENT)
        if one != other:
            yield differs(path, one, other)
