"""The tables of read models, as SQLAlchemy Core: what they hold can be folded from the ledger again.

Only the migrations make them in a database; a test proves that both say the same.
"""

from sqlalchemy import REAL, Column, Index, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData()

projection_checkpoints = Table(
    "projection_checkpoints",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
    sqlite_strict=True,
)

projection_snapshots = Table(
    "projection_snapshots",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("settings", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
    Column("state", LargeBinary, nullable=False),
    sqlite_strict=True,
)

promotion_history = Table(
    "promotion_history",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("recorded_us", Integer, nullable=False),
    Column("model_type", Text, nullable=False),
    Column("cycle", Integer, nullable=False),
    Column("decision", Text, nullable=False),
    Column("z_statistic", REAL),
    Column("p_value", REAL),
    Column("production_wins", Integer),
    Column("production_total_games", Integer),
    Column("b_wins", Integer),
    Column("b_total_games", Integer),
    Column("production_games_since_swap", Integer, nullable=False),
    Column("b_games_since_swap", Integer, nullable=False),
    Column("promotion_cycles_since_swap", Integer, nullable=False),
    Column("reorder_applied", Integer, nullable=False),
    Column("applied", Integer),
    Column("rule", Text),
    Column("alpha", Text),
    Column("reason", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("detail", LargeBinary, nullable=False),
    Index("ix_promotion_history_model_type", "model_type", "id"),
    Index("ix_promotion_history_decision", "decision", "id"),
    Index("ix_promotion_history_recorded_us", "recorded_us"),
    sqlite_strict=True,
)
