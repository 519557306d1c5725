from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy.pool import QueuePool

from ledger.engines import sqlite
from ledger.engines.database import disposing, open_engine, transaction
from ledger.errors import StorageError


def test_a_caller_for_whom_no_connection_becomes_free_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "CONNECTION_SECONDS_MAX", 0.05)
    with disposing(open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")) as engine, ExitStack() as taken:
        assert isinstance(engine.pool, QueuePool)
        while engine.pool.overflow() < engine.pool._max_overflow:
            taken.enter_context(transaction(engine))

        with pytest.raises(StorageError, match=r"every connection .* is taken"), transaction(engine):
            pass

        taken.close()
        with transaction(engine) as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
