import psycopg
import pytest
from psycopg import errors

from ledger.engines.postgresql_refusals import refusal_of
from ledger.errors import DamagedError, DiskFullError, StorageError, UnavailableError


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        (errors.DiskFull, DiskFullError),
        (errors.DataCorrupted, DamagedError),
        (errors.IndexCorrupted, DamagedError),
        (errors.AdminShutdown, UnavailableError),
        (errors.CannotConnectNow, UnavailableError),
        (errors.ConnectionFailure, UnavailableError),
        (errors.ReadOnlySqlTransaction, UnavailableError),
        (errors.IdleInTransactionSessionTimeout, UnavailableError),
        (errors.TooManyConnections, UnavailableError),
        (errors.LockNotAvailable, UnavailableError),
        (errors.DeadlockDetected, UnavailableError),
        (errors.SerializationFailure, UnavailableError),
        (errors.QueryCanceled, UnavailableError),
        (psycopg.OperationalError, UnavailableError),
        (errors.IntegrityConstraintViolation, StorageError),
        (errors.InsufficientPrivilege, StorageError),
        (errors.UndefinedTable, StorageError),
        (errors.DuplicateTable, StorageError),
        (psycopg.ProgrammingError, StorageError),
    ],
)
def test_a_state_means_one_thing(error: type[psycopg.Error], meant: type[StorageError]) -> None:
    refused = refusal_of(error("what the server says\nin two lines"))

    assert type(refused) is meant
    assert "what the server says in two lines" in str(refused)


def test_a_text_that_is_none_is_a_damage() -> None:
    assert isinstance(refusal_of(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid")), DamagedError)


def test_a_text_without_end_is_cut() -> None:
    assert len(str(refusal_of(psycopg.OperationalError("x" * 10_000)))) < 1_000


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (errors.DuplicateTable, "name a database without such tables"),
        (errors.InsufficientPrivilege, "rps migrate --grant ROLE"),
        (errors.UndefinedTable, "run `rps migrate`"),
    ],
)
def test_a_refusal_of_the_schema_says_what_to_do(error: type[psycopg.Error], advice: str) -> None:
    assert advice in str(refusal_of(error("what the server says")))
