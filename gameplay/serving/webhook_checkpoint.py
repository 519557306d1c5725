"""How far the promotion events have been sent, in the database: a restart goes on there."""

from typing import Final

from sqlalchemy import Column, ColumnElement, Engine, MetaData, Table, select
from sqlalchemy.dialects.postgresql import insert

from ledger.engines.database import transaction
from ledger.schema import Whole, Words

metadata: Final = MetaData()
checkpoints = Table(
    "webhook_checkpoint",
    metadata,
    Column("name", Words, primary_key=True),
    Column("position", Whole, nullable=False),
    sqlite_strict=True,
)
NAME: Final = "promotion"


class Checkpoint:
    """One for all receivers: an address that is changed goes on where the one before had got to."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self) -> int | None:
        """The position; None before the first start with a webhook. Raises StorageError."""
        with transaction(self._engine) as connection:
            return connection.scalar(select(checkpoints.c.position).where(checkpoints.c.name == NAME))

    def write(self, position: int) -> None:
        """Everything up to this position has arrived. Raises StorageError.

        It never goes back: an answer may come so late that another process has sent more since.
        """
        self._set(position, checkpoints.c.position < position)

    def reset(self, position: int) -> None:
        """Go on after this position, whatever has arrived. Raises StorageError."""
        self._set(position)

    def _set(self, position: int, where: ColumnElement[bool] | None = None) -> None:
        statement = insert(checkpoints).values(name=NAME, position=position)
        moved = statement.on_conflict_do_update(index_elements=["name"], set_={"position": position}, where=where)
        with transaction(self._engine, write=(checkpoints,)) as connection:
            connection.execute(moved)
