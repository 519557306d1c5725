"""`ledger.open`: a ledger to append to, for a program of one's own."""

from types import TracebackType
from typing import Self

from sqlalchemy import Engine

from ledger.clock import ClockGuard
from ledger.engines.database import open_engine, transaction
from ledger.errors import StorageError
from ledger.store import Ledger
from ledger.writer import Writer


class OpenLedger(Ledger):
    """A ledger that owns its connections: `close` it, or use it as `with ledger.open(url) as log`."""

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncLedger:
    """The same for `async with`: its `append` is awaited, and those of one turn of the loop share a commit."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def __aenter__(self) -> Writer:
        self._ledger = open_ledger(self._url)
        self._writer = Writer(self._ledger)
        return self._writer

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            await self._writer.close()
        finally:
            self._ledger.close()


def open_ledger(url: str) -> OpenLedger:
    """The ledger behind a URL, which must exist. Raises StorageError, NoLedgerError."""
    engine = open_engine(url, must_exist=True)
    _check(engine)
    return OpenLedger(engine, guard=ClockGuard())


def _check(engine: Engine) -> None:
    try:
        with transaction(engine) as connection:
            connection.exec_driver_sql("SELECT 1 FROM events LIMIT 1")
    except StorageError as error:
        engine.dispose()
        raise StorageError(f"{engine.url.database} is no ledger: {error}") from error
