"""A pool that owns its connections to the last one, also those that come back after its end."""

from typing import Self, cast

from sqlalchemy.pool import ConnectionPoolEntry, QueuePool


class OwningPool(QueuePool):
    """Keeps no connection once it is disposed of.

    A job that hangs is not waited for at a shutdown, and its thread may hold a connection then, or take one later.
    The library's pool closes those that lie in it and never hears of the others: they stay open, with the
    database's files, until the garbage collector comes by.
    """

    _disposed = False

    def dispose(self) -> None:
        """Close what lies here now, and from now on each connection that is returned."""
        self._disposed = True
        super().dispose()

    def recreate(self) -> Self:
        """The pool that takes the place of this one; the engine asks for it when it is disposed of."""
        after = cast(Self, super().recreate())
        after._disposed = self._disposed
        return after

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        # Looked at after the return, and set before the closing above: one of the two sees the connection.
        if self._disposed:
            super().dispose()
