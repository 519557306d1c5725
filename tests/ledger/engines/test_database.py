from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ledger.engines import sqlite
from ledger.engines.database import disposing, open_engine, transaction
from ledger.errors import StorageError


def take_all(engine: Engine, taken: ExitStack) -> None:
    for _ in range(1_000):
        taken.enter_context(transaction(engine))


def test_a_caller_for_whom_no_connection_becomes_free_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "CONNECTION_SECONDS_MAX", 0.05)
    with disposing(open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")) as engine:
        with ExitStack() as taken, pytest.raises(StorageError, match=r"every connection .* is taken"):
            take_all(engine, taken)

        with transaction(engine) as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
