"""The tables of read models, as SQLAlchemy Core: what they hold can be folded from the ledger again.

Only the migrations make them in a database; a test proves that both say the same.
"""

from collections.abc import Iterator
from types import NoneType
from typing import Any, get_args

from msgspec import Struct, structs
from sqlalchemy import REAL, Column, Double, Index, LargeBinary, MetaData, Table

from ledger.schema import Whole, Words

metadata = MetaData()

projection_checkpoints = Table(
    "projection_checkpoints",
    metadata,
    Column("name", Words, primary_key=True),
    Column("version", Whole, nullable=False),
    Column("position", Whole, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
    Column("rows_digest", LargeBinary),
    sqlite_strict=True,
)

projection_snapshots = Table(
    "projection_snapshots",
    metadata,
    Column("name", Words, primary_key=True),
    Column("version", Whole, nullable=False),
    Column("settings", Words, nullable=False),
    Column("position", Whole, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
    Column("state", LargeBinary, nullable=False),
    sqlite_strict=True,
)

projection_waypoints = Table(
    "projection_waypoints",
    metadata,
    Column("position", Whole, primary_key=True, autoincrement=False),
    Column("name", Words, primary_key=True),
    Column("version", Whole, nullable=False),
    Column("settings", Words, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
    Column("state", LargeBinary, nullable=False),
    sqlite_strict=True,
)


class StoredRow(Struct, frozen=True, kw_only=True):
    """A row of the promotion history: one cycle. Its fields are the table's columns, in this order.

    `applied` is 0 while a plan is open, 1 when it is carried out, and null where nothing was planned; `detail` is
    JSON, and holds what no query narrows.
    """

    id: int
    recorded_us: int
    model_type: str
    cycle: int
    decision: str
    z_statistic: float | None
    p_value: float | None
    production_wins: int | None
    production_total_games: int | None
    b_wins: int | None
    b_total_games: int | None
    production_games_since_swap: int
    b_games_since_swap: int
    promotion_cycles_since_swap: int
    reorder_applied: int
    applied: int | None
    rule: str | None
    alpha: str | None
    reason: str
    source: str
    detail: bytes


_Float: Any = Double().with_variant(REAL, "sqlite")
_COLUMN_TYPES: dict[type, Any] = {int: Whole, float: _Float, str: Words, bytes: LargeBinary}


def _columns(row: type[Struct], key: str) -> Iterator[Column[Any]]:
    for field in structs.fields(row):
        kinds = set(get_args(field.type)) or {field.type}
        (kind,) = kinds - {NoneType}
        yield Column(
            field.name,
            _COLUMN_TYPES[kind],
            nullable=NoneType in kinds,
            primary_key=field.name == key,
            autoincrement=False,
        )


promotion_history = Table(
    "promotion_history",
    metadata,
    *_columns(StoredRow, key="id"),
    Index("ix_promotion_history_model_type", "model_type", "id"),
    Index("ix_promotion_history_decision", "decision", "id"),
    Index("ix_promotion_history_recorded_us", "recorded_us"),
    sqlite_strict=True,
)
