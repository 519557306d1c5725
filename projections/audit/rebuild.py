"""Drop a read model and replay it: beside the serving one first, then switched in one transaction."""

from collections.abc import Sequence
from typing import Any

from msgspec import structs
from sqlalchemy import Connection, delete, insert

from ledger.engines.database import database_of, transaction
from ledger.schema import events
from ledger.store import Ledger
from projections import snapshots, waypoints
from projections.audit.replay import Replay
from projections.fold import Progress
from projections.projection import Tracked
from projections.read_models import history
from projections.read_models.history import Query
from projections.read_models.history_digest import digest_of
from projections.schema import projection_snapshots, projection_waypoints, promotion_history

STATES = (
    "counters",
    "tickers",
    "standings",
    "open_games",
    "assigned_games",
    "timeline",
    "player_stats",
    "bot_win_rates",
    "version_pairs",
    "records_by_player",
)
READ_MODELS = (*STATES, history.NAME)
_WRITTEN = (events, promotion_history, projection_snapshots, projection_waypoints)


def rebuild(ledger: Ledger, names: Sequence[str], *, since_us: int, progress: Progress | None = None) -> int:
    """Replace what is stored of the named read models by a full replay; returns its position.

    A service may go on meanwhile. Raises ProjectionError or StorageError; then everything stays as it was.
    """
    replay = Replay(ledger, since_us=since_us)
    replay.advance(ledger.head().position, progress)
    with transaction(ledger.engine, write=_WRITTEN) as connection:
        database_of(ledger.engine).linger(connection)
        # Under the write lock nothing is appended, so this reaches the very head. A service that has folded
        # further than the checkpoint would otherwise never fold the events in between again.
        replay.advance(ledger.head().position, progress)
        if history.NAME in names:
            _switch_history(connection, replay)
        waypoints.drop(connection, names)  # a waypoint may be wrong where a snapshot was
        if replay.head.position:
            every: Sequence[Tracked[Any]] = replay.read_models.tracked
            chosen = [tracked for tracked in every if tracked.projection.name in names]
            snapshots.save(connection, [snapshots.take(tracked, replay.head) for tracked in chosen])
    return replay.head.position


def _switch_history(connection: Connection, replay: Replay) -> None:
    rows = [structs.asdict(row) for row in replay.history.rows(Query(limit=None))]
    connection.execute(delete(promotion_history))
    if rows:
        connection.execute(insert(promotion_history), rows)
    if replay.head.position:
        history.set_checkpoint(connection, replay.head, digest_of(connection))
