"""What a process says of itself: when a promotion cycle was last due, and what its ledger takes of the disk."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from gameplay.serving.process_metrics import LedgerSize, due_cycle
from ledger.engines.database import disposing, open_engine
from ledger.engines.sqlite import open_memory

FRIDAY = datetime(2026, 11, 27, 9, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "due"),
    [
        ("*/5 * * * *", datetime(2026, 11, 27, 7, 10, tzinfo=UTC)),
        ("*/30 * * * *", datetime(2026, 11, 27, 7, 0, tzinfo=UTC)),
        ("@daily", datetime(2026, 11, 27, tzinfo=UTC)),
        ("0 8 * * *", datetime(2026, 11, 26, 8, 0, tzinfo=UTC)),
        ("@weekly", datetime(2026, 11, 22, tzinfo=UTC)),
        ("0 9-17 * * mon-wed", datetime(2026, 11, 25, 17, 0, tzinfo=UTC)),
        (None, datetime(2026, 11, 26, 7, 10, tzinfo=UTC)),
    ],
)
def test_a_cycle_is_due_by_the_schedule_and_two_hours(line: str | None, due: datetime) -> None:
    assert due_cycle(line, FRIDAY.timestamp)() == due.timestamp()


def test_the_ledger_s_bytes_are_read_at_each_scrape_and_absent_where_it_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    process, server = CollectorRegistry(), CollectorRegistry()
    with disposing(open_engine(f"sqlite:///{path}")) as engine, disposing(open_memory()) as memory:
        process.register(LedgerSize(engine))
        server.register(LedgerSize(memory))
        for size in (4_096, 8_192):
            path.write_bytes(bytes(size))
            assert process.get_sample_value("rps_ledger_bytes") == size
        assert server.get_sample_value("rps_ledger_bytes") is None
