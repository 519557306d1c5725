"""What PostgreSQL's errors mean, by their SQLSTATE."""

from typing import Final

from psycopg import Error, OperationalError

from ledger.errors import DamagedError, DiskFullError, StorageError, UnavailableError

# Of these the same statement may succeed in a moment, there or on another server.
_PASSING: Final = (
    "08",  # the connection is lost
    "57P",  # the server stops, starts, or has ended the session
    "25006",  # the server has become a standby
    "25P03",  # idle for too long within a transaction
    "26000",  # the session has dropped what was prepared; another one has nothing to miss
    "53300",  # too many connections
    "55P03",  # a lock was not to be had in time
    "57014",  # somebody has cancelled it
    "40",  # it was chosen to fail for another
)
_DAMAGED: Final = ("XX001", "XX002", "22021")
_NO_LEDGER: Final = ("42P01", "3F000", "42703", "42883")
"""A table, schema, column or function does not exist."""
_UNREACHED: Final = "connection failed: "
POOLER: Final = "a connection pooler answers for PostgreSQL: RPS_DATABASE_URL must name the server itself"
_OF_A_POOLER: Final = "unsupported startup parameter"
"""What PgBouncer, and no server, says to the settings of a session."""
TEXT_MAX: Final = 500


def refusal_of(error: Exception) -> StorageError:
    """The error that a caller sees, in one line and without a password: neither server nor library repeats one."""
    if isinstance(error, UnicodeDecodeError):
        return DamagedError("a text is not UTF-8")
    text, state = _text(error), getattr(error, "sqlstate", None)
    if state is None:
        if not isinstance(error, OperationalError):
            return StorageError(_refused(text))
        if _OF_A_POOLER in text:
            return StorageError(POOLER)
        unreached = text.removeprefix(_UNREACHED)
        what = "does not answer" if unreached == text else "is not to be reached"
        return UnavailableError(f"PostgreSQL {what}: {unreached}")
    if state.startswith(_PASSING):
        return UnavailableError(f"PostgreSQL could not: {text}")
    if state == "53100":
        return DiskFullError(text)
    if state in _DAMAGED:
        return DamagedError(text)
    if state == "42501":
        return StorageError(f"{_refused(text)}: have the owner of the tables run `rps migrate --grant ROLE`")
    if state == "42P07":
        return StorageError(f"{_refused(text)}, and no migration has made it: name a database without such tables")
    if state in _NO_LEDGER:
        return StorageError(f"{_refused(text)}: there is no ledger, or not all of one; run `rps migrate`")
    return StorageError(_refused(text))


def _refused(text: str) -> str:
    return f"the database refused: {text}"


def _text(error: Exception) -> str:
    primary = error.diag.message_primary if isinstance(error, Error) else None
    return " ".join((primary or str(error)).split())[:TEXT_MAX]
