"""Reading a log from PostgreSQL page by page: the server works on the next page while the caller has this one."""

import struct
from collections.abc import Generator
from contextlib import ExitStack
from typing import Any, Final

from psycopg import Connection as DriverConnection
from psycopg import abc
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.generators import execute
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGresult
from psycopg.types.string import ByteaBinaryLoader
from sqlalchemy import Connection

from ledger.schema import events

# The limit is a parameter: with one that it can read, a planner without statistics sorts the rest of the log for
# each page.
_PAGE: Final = f"""
SELECT {", ".join(column.name for column in events.columns)} FROM events
WHERE position BETWEEN $1 AND $2 ORDER BY position LIMIT $3""".encode()
_INT8: Final = 20
_NUMBER: Final = struct.Struct(">q")


def read_pages(
    connection: Connection, first: int, last: int, limit: int, *, as_stored: bool
) -> Generator[list[tuple[Any, ...]], None, None]:
    """See `ledger.engines.database.Database.pages`.

    The driver's cursors wait for an answer before they let go, and its pipeline keeps the table locked for as long
    as the caller takes; so the next page is asked for by libpq's own calls. It waits in the buffers of the socket.
    Each page is a transaction by itself.
    """
    driver: Any = connection.connection.driver_connection
    loading = _loading(driver, as_stored=as_stored)
    with ExitStack() as stopped:
        # By an error, or by a caller who has seen enough. Nobody takes the page that is on its way then, and the
        # next one to use the connection would be given it.
        stopped.callback(connection.invalidate)
        _ask(driver, first, last, limit)
        while first <= last and (result := _answer(driver)).ntuples:
            loading.set_pgresult(result)
            first = loading.load_row(result.ntuples - 1, tuple)[0] + 1
            if first <= last:
                _ask(driver, first, last, limit)
            yield loading.load_rows(0, result.ntuples, tuple)
        stopped.pop_all()


def _loading(driver: DriverConnection[Any], *, as_stored: bool) -> abc.Transformer:
    cursor = driver.cursor()
    if as_stored:
        cursor.adapters.register_loader("text", ByteaBinaryLoader)
    return Transformer(cursor)


def _ask(driver: DriverConnection[Any], *numbers: int) -> None:
    values = [_NUMBER.pack(number) for number in numbers]
    formats = [Format.BINARY] * len(values)
    driver.pgconn.send_query_params(_PAGE, values, [_INT8] * len(values), formats, Format.BINARY)
    driver.pgconn.flush()


def _answer(driver: DriverConnection[Any]) -> PGresult:
    result: PGresult
    (result,) = driver.wait(execute(driver.pgconn))
    if result.status != ExecStatus.TUPLES_OK:
        raise error_from_result(result)
    return result
