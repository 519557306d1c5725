"""What is stored of the read models against a full replay: they are caches, and have to be equal to it."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import select

from ledger.codec import DECODE_ERRORS
from ledger.engines.database import transaction
from ledger.store import Ledger
from projections.audit.replay import Replay, by_id, flatten, plain, read_rows
from projections.fold import Progress
from projections.read_models import history
from projections.read_models.history import History
from projections.schema import projection_checkpoints, projection_snapshots, projection_waypoints
from projections.snapshots import unguarded
from projections.waypoints import unpacked

_SINCE = re.compile(r"since_us=(-?[0-9]+)").fullmatch
ABSENT = "(absent)"


class Difference(msgspec.Struct, frozen=True):
    """A value that is stored otherwise than a replay gives it."""

    read_model: str
    position: int
    path: str
    stored: Any
    replayed: Any


Differs = Callable[[str, Any, Any], Difference]
"""A difference of one read model, from its path and both values."""


class ReadModelComparison(NamedTuple):
    """What was compared, as read model -> position, at how many waypoints on the way, and what differs."""

    compared: dict[str, int]
    waypoints: int
    differences: list[Difference]


class _Stored(NamedTuple):
    name: str
    version: int
    settings: str
    position: int
    chain_hash: bytes
    state: bytes | None
    rows_digest: bytes | None = None
    is_waypoint: bool = False


def compare(ledger: Ledger, progress: Progress | None = None) -> ReadModelComparison:
    """Replay everything and compare it with each snapshot, waypoint, and the history table, at its own position.

    Rows of a history without a checkpoint are compared at the head.
    """
    stored = _stored(ledger)
    head = ledger.head().position
    replay = Replay(ledger, since_us=counters_since(ledger) or 0)
    differences: list[Difference] = []
    for one in sorted(stored, key=lambda one: one.position):
        if one.position > head:
            differences.append(Difference(one.name, one.position, "position", one.position, f"at most {head}"))
            continue
        replay.advance(one.position, progress)
        differences += _compare_one(ledger, replay, one)
    compared = {one.name: one.position for one in stored if not one.is_waypoint}
    waypoints = {one.position for one in stored if one.is_waypoint}
    if history.NAME not in compared and (rows := read_rows(History(ledger))):
        replay.advance(head, progress)
        differs = partial(Difference, history.NAME, head)
        differences.append(differs("checkpoint", ABSENT, "the position that the rows are at"))
        differences += _unequal_rows(differs, rows, replay.history_rows())
        compared[history.NAME] = head
    return ReadModelComparison(compared, len(waypoints), differences)


def counters_since(ledger: Ledger) -> int | None:
    """From which time on (microseconds since the epoch) the stored counters count; None when none are stored."""
    with transaction(ledger.engine) as connection:
        table = projection_snapshots
        settings = connection.scalar(select(table.c.settings).where(table.c.name == "counters"))
    found = _SINCE(settings or "")
    return int(found[1]) if found else None


def _stored(ledger: Ledger) -> list[_Stored]:
    with transaction(ledger.engine) as connection:
        snapshots = [_Stored(*row) for row in connection.execute(select(projection_snapshots))]
        checkpoints = [
            _Stored(row.name, row.version, "", row.position, row.chain_hash, None, row.rows_digest)
            for row in connection.execute(select(projection_checkpoints))
        ]
        table = projection_waypoints
        waypoints = [
            _Stored(row.name, row.version, row.settings, row.position, row.chain_hash, row.state, is_waypoint=True)
            for row in connection.execute(select(table).order_by(table.c.position))
        ]
    return snapshots + checkpoints + waypoints


def _compare_one(ledger: Ledger, replay: Replay, stored: _Stored) -> Iterator[Difference]:
    differs = partial(Difference, stored.name, stored.position)
    if replay.head.chain_hash != stored.chain_hash:
        yield differs("chain_hash", stored.chain_hash.hex(), replay.head.chain_hash.hex())
    if stored.state is not None:
        yield from _compare_state(differs, replay, stored, stored.state)
    elif stored.name != history.NAME:
        yield differs("name", stored.name, ABSENT)
    else:
        if stored.version != history.VERSION:
            yield differs("version", stored.version, history.VERSION)
        yield from _unequal_rows(differs, read_rows(History(ledger)), replay.history_rows())
        digest = replay.history.digest()
        if stored.rows_digest != digest:
            found = stored.rows_digest.hex() if stored.rows_digest else ABSENT
            yield differs("rows_digest", found, digest.hex())


def _compare_state(differs: Differs, replay: Replay, stored: _Stored, guarded: bytes) -> Iterator[Difference]:
    tracked = next((one for one in replay.read_models.tracked if one.projection.name == stored.name), None)
    if tracked is None:
        yield differs("name", stored.name, ABSENT)
        return
    settings = stored.version, stored.settings
    expected = tracked.projection.version, tracked.projection.settings
    if settings != expected:
        yield differs("version and settings", settings, expected)
        return
    encoded = unpacked(guarded) if stored.is_waypoint else unguarded(guarded)
    if encoded is None:
        yield differs("state", "other bytes than were saved", "a state")
        return
    try:
        state = tracked.decode(encoded)
    except DECODE_ERRORS as error:
        yield differs("state", f"it does not decode: {error}", "a state")
        return
    yield from _unequal(differs, plain(state), plain(tracked.state))


def _unequal_rows(
    differs: Differs, stored: list[dict[str, Any]], replayed: list[dict[str, Any]]
) -> Iterator[Difference]:
    before, after = by_id(stored), by_id(replayed)
    for row_id, row in before.items():
        if row_id in after and not isinstance(row["detail"], dict):
            # Listed once: every path of the expected value would be a line of its own.
            yield differs(f"{row_id}.detail", row.pop("detail"), "a JSON object")
            del after[row_id]["detail"]
    yield from _unequal(differs, before, after)


def _unequal(differs: Differs, stored: Any, replayed: Any) -> Iterator[Difference]:
    before, after = flatten(stored), flatten(replayed)
    for path in dict.fromkeys((*before, *after)):
        one, other = before.get(path, ABSENT), after.get(path, ABSENT)
        if one != other:
            yield differs(path, one, other)
