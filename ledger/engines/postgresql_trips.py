"""Statements that go to PostgreSQL together, so that a network is crossed once for all of them."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import compress, count
from typing import Any, Final

from psycopg import Connection as DriverConnection
from psycopg.abc import Buffer, PQGen
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.generators import fetch_many, send
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGresult
from sqlalchemy import Connection

_FAILED: Final = (ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED)


class Prepared:
    """The statements that a session has ready: to plan a small one takes longer than to execute it."""

    def __init__(self) -> None:
        self._names: dict[bytes, bytes] = {}
        self._numbers = count()

    def name(self, statement: bytes) -> tuple[bytes, bool]:
        """The name under which the session has a statement, and whether it has it already."""
        if (name := self._names.get(statement)) is not None:
            return name, True
        name = self._names[statement] = b"ledger_%d" % next(self._numbers)
        return name, False

    def clear(self) -> None:
        """Take them for gone."""
        self._names.clear()


class Trips:
    """A connection whose statements are sent when their answers are asked for.

    By libpq's pipeline and not by the driver's: that sends each by itself and takes a quarter of a millisecond of
    CPU for the five of an append, most of it while the append holds the log's lock.
    """

    def __init__(self, driver: DriverConnection[Any], prepared: Prepared) -> None:
        self._driver = driver
        self._prepared = prepared
        self._is_wanted: list[bool] = []

    def ask(self, statement: bytes, values: Sequence[bytes] = ()) -> None:
        """Have a statement executed in the next trip, with values as the server reads them."""
        self._ask(statement, values, Format.BINARY)

    def ask_plainly(self, statement: bytes, values: Sequence[object]) -> None:
        """As `ask`, with values as Python has them."""
        dumped = Transformer(self._driver).dump_sequence(values, [PyFormat.TEXT] * len(values))
        self._ask(statement, dumped, Format.TEXT)

    def _ask(self, statement: bytes, values: Sequence[Buffer | None], form: Format) -> None:
        pgconn = self._driver.pgconn
        name, is_ready = self._prepared.name(statement)
        if not is_ready:
            pgconn.send_prepare(name, statement)
            self._is_wanted.append(False)
        pgconn.send_query_prepared(name, values, [form] * len(values), Format.BINARY)
        self._is_wanted.append(True)

    def answers(self) -> list[PGresult]:
        """Make the trip; the answer to each statement. Raises the driver's error for the first one that fails."""
        self._driver.pgconn.pipeline_sync()
        found = self._driver.wait(_collect(self._driver, len(self._is_wanted)))
        wanted = list(compress(found, self._is_wanted))
        self._is_wanted.clear()
        return wanted

    def rows(self, answer: PGresult) -> list[tuple[Any, ...]]:
        """The rows of an answer."""
        loading = Transformer(self._driver)
        loading.set_pgresult(answer)
        return loading.load_rows(0, answer.ntuples, tuple)


@contextmanager
def travelling(connection: Connection, prepared: Prepared) -> Iterator[Trips]:
    """Trips for a block. After an error the connection is given up, as answers may still be on their way."""
    driver: Any = connection.connection.driver_connection
    with ExitStack() as failed:
        failed.callback(connection.invalidate)
        driver.pgconn.enter_pipeline_mode()
        yield Trips(driver, prepared)
        driver.pgconn.exit_pipeline_mode()
        failed.pop_all()


def _collect(driver: DriverConnection[Any], statements: int) -> PQGen[list[PGresult]]:
    yield from send(driver.pgconn)
    found = []
    for _ in range(statements):
        (result,) = yield from fetch_many(driver.pgconn)
        if result.status in _FAILED:
            raise error_from_result(result)
        found.append(result)
    yield from fetch_many(driver.pgconn)  # that all of them are done
    return found
