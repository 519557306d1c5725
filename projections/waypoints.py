"""Waypoints: the state of every projection at positions along the way, so that a past one is folded from nearby.

A cache like the snapshots, and checked like them: a waypoint that does not fit is passed over, and dropped by the
next start. Their number and size are bounded, and they lie further apart the older they are.
"""

import zlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from ledger.codec import DECODE_ERRORS
from ledger.engines.database import transaction
from ledger.entries import Head
from ledger.store import Ledger
from projections.positions import head_at
from projections.projection import Tracked
from projections.schema import projection_waypoints as table
from projections.snapshots import take, unguarded

ENTRIES_BETWEEN = 10_000
"""As often as snapshots are taken: so many entries are folded in a tenth of a second of processor time."""
COUNT_MAX = 160
BYTES_MAX = 64 << 20
AGE_PER_GAP = 100
"""What lies a million events back may lie 10,000 from its waypoint."""

Row = dict[str, Any]
"""The state of one projection at one waypoint, as it is stored."""


class Laid(NamedTuple):
    """A waypoint that is stored, or will be: its position, and the bytes that it takes."""

    position: int
    bytes: int


class Waypoints:
    """The waypoints of one ledger and one set of projections, which its projector lays as it passes."""

    def __init__(self, ledger: Ledger, tracked: Sequence[Tracked[Any]], entries_between: int) -> None:
        self._ledger = ledger
        self._tracked = {one.projection.name: one for one in tracked}
        self._entries_between = entries_between
        self._newest = 0
        self._unsaved: list[Row] = []

    def prune(self) -> None:
        """Drop what does not fit these projections and this ledger. For a start, before anything is folded."""
        with transaction(self._ledger.engine) as connection:
            rows = connection.execute(select(table.c.name, table.c.position, *_FIT)).all()
        heads = {position: head_at(self._ledger, position) for position in {row.position for row in rows}}
        odd = [row for row in rows if not self._fits(row, heads[row.position])]
        if odd:
            with transaction(self._ledger.engine, write=[table]) as connection:
                for row in odd:
                    connection.execute(delete(table).where(_same(row.position), table.c.name == row.name))
        self._newest = max((row.position for row in rows if row not in odd), default=0)
        self._unsaved = []

    def positions(self, after: int, through: int) -> list[int]:
        """Where waypoints are stored, with `after` < position <= `through`."""
        column = table.c.position
        with transaction(self._ledger.engine) as connection:
            return sorted(connection.scalars(select(column).where(column > after, column <= through).distinct()))

    def is_due(self, position: int, head: int) -> bool:
        """Whether the newest one lies far enough behind a position, as far as this is behind the head."""
        return position - self._newest >= max(self._entries_between, (head - position) // AGE_PER_GAP)

    def lay(self, head: Head, tracked: Iterable[Tracked[Any]]) -> None:
        """Take the states of projections that are folded up to `head`; `save` will store them."""
        self.add([take(one, head, pack=_packed) for one in tracked])

    def add(self, rows: Sequence[Row]) -> None:
        """Take over what was laid elsewhere."""
        self._unsaved += rows
        self._newest = max([self._newest, *(row["position"] for row in rows)])
        kept = thinned(_sizes(self._unsaved), self._newest)
        self._unsaved = [row for row in self._unsaved if row["position"] in kept]

    @property
    def unsaved(self) -> list[Row]:
        """What was laid and is not stored."""
        return list(self._unsaved)

    def mark_saved(self, rows: Sequence[Row]) -> None:
        """Let go of what has been stored."""
        self._unsaved = [row for row in self._unsaved if row not in rows]

    def restore(self, through: int) -> Head | None:
        """Bring the projections to the nearest waypoint that is not after `through`; None if there is none.

        What is laid from there on lies `entries_between` after it.
        """
        for position in reversed(self.positions(0, through)):
            with transaction(self._ledger.engine) as connection:
                rows = connection.execute(select(table).where(_same(position))).all()
            head = head_at(self._ledger, position)
            fitting = {row.name: row.state for row in rows if self._fits(row, head)}
            if head and fitting.keys() == self._tracked.keys() and self._restore(fitting, position):
                self._newest = position
                return head
        for tracked in self._tracked.values():
            tracked.reset()  # of a waypoint that did not fit, some states may have decoded
        return None

    def _restore(self, states: dict[str, bytes], position: int) -> bool:
        for name, stored in states.items():
            state = unpacked(stored)
            if state is None:
                return False
            try:
                self._tracked[name].restore(state, position)
            except DECODE_ERRORS:
                return False
        return True

    def _fits(self, row: Any, head: Head | None) -> bool:
        tracked = self._tracked.get(row.name)
        if tracked is None or head is None or row.chain_hash != head.chain_hash:
            return False
        return (row.version, row.settings) == (tracked.projection.version, tracked.projection.settings)


def unpacked(stored: bytes) -> bytes | None:
    """The encoded state in a stored one; None when these are not the bytes that were saved."""
    packed = unguarded(stored)
    try:
        return None if packed is None else zlib.decompress(packed)
    except zlib.error:
        return None


def save(connection: Connection, rows: Sequence[Row], head: int) -> None:
    """Store waypoints, and drop those of all that the bounds leave no place for."""
    for row in rows:
        connection.execute(delete(table).where(_same(row["position"]), table.c.name == row["name"]))
    if rows:
        connection.execute(insert(table), rows)
    size = func.sum(func.length(table.c.state))
    stored = [Laid(*row) for row in connection.execute(select(table.c.position, size).group_by(table.c.position))]
    kept = thinned(stored, head)
    for laid in stored:
        if laid.position not in kept:
            connection.execute(delete(table).where(_same(laid.position)))


def drop(connection: Connection, names: Sequence[str]) -> None:
    """Drop the waypoints of these projections."""
    connection.execute(delete(table).where(table.c.name.in_(names)))


def thinned(
    laid: Iterable[Laid], head: int, *, count_max: int = COUNT_MAX, bytes_max: int = BYTES_MAX
) -> set[int]:
    """The positions that stay within the bounds.

    The first to go is the one whose loss makes the smallest gap for its age: so the gaps grow with the age, and
    a past state is folded from a distance that stays in proportion to how long ago it was.
    """
    kept = sorted(laid)
    while len(kept) > count_max or sum(one.bytes for one in kept) > bytes_max:
        positions = [0, *(one.position for one in kept), head]
        gaps = [
            (after - before) / max(head - position, 1)
            for before, position, after in zip(positions, positions[1:], positions[2:], strict=False)
        ]
        del kept[gaps.index(min(gaps))]
    return {one.position for one in kept}


_FIT = (table.c.version, table.c.settings, table.c.chain_hash)


def _same(position: int) -> Any:
    return table.c.position == position


def _packed(state: bytes) -> bytes:
    return zlib.compress(state, 1)


def _sizes(rows: Iterable[Row]) -> list[Laid]:
    sizes: dict[int, int] = {}
    for row in rows:
        sizes[row["position"]] = sizes.get(row["position"], 0) + len(row["state"])
    return [Laid(*item) for item in sizes.items()]
