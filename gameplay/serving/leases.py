"""Leases: which of several processes does a job now, by the database's clock.

They save double work, and nothing is wrong without them: what a job appends is protected by the version of a
stream or by ids that all processes derive alike.
"""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Column, ColumnElement, Engine, MetaData, Table, delete, literal_column, or_
from sqlalchemy.dialects.postgresql import insert

from ledger.engines.database import database_of, transaction
from ledger.ids import new_id
from ledger.schema import Whole, Words

SECONDS_MAX: Final = 300.0
"""No lease lasts longer. The longest that is taken, a set-up's, lasts three minutes."""

metadata: Final = MetaData()
leases = Table(
    "leases",
    metadata,
    Column("name", Words, primary_key=True),
    Column("holder", Words, nullable=False),
    Column("until_us", Whole, nullable=False),
    sqlite_strict=True,
)


class Leases:
    """The leases of one process. Threads share it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._holder = new_id()
        # The clocks of two machines differ; the database has one.
        self._now_us: ColumnElement[int] = literal_column(database_of(engine).clock_us)

    def take(self, name: str, seconds: float) -> bool:
        """Have a lease from now on for so long; False while another process has it. Raises StorageError."""
        assert seconds <= SECONDS_MAX, name
        until_us = self._now_us + int(seconds * 1_000_000)
        wanted = insert(leases).values(name=name, holder=self._holder, until_us=until_us)
        is_free = or_(
            leases.c.holder == self._holder,
            leases.c.until_us <= self._now_us,
            # Taken while the clock was ahead; its job would be no process's until the clock had caught up.
            leases.c.until_us > self._now_us + int(SECONDS_MAX * 1_000_000),
        )
        statement = wanted.on_conflict_do_update(
            index_elements=["name"], set_={"holder": self._holder, "until_us": until_us}, where=is_free
        )
        with transaction(self._engine, write=(leases,)) as connection:
            return connection.scalar(statement.returning(leases.c.name)) is not None

    def release(self, *, but: Collection[str] = ()) -> None:
        """Let go of all `but` some: a process that ends keeps no other waiting. Raises StorageError."""
        released = delete(leases).where(leases.c.holder == self._holder, leases.c.name.not_in(but))
        with transaction(self._engine, write=(leases,)) as connection:
            connection.execute(released)
