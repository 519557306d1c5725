"""What a process says of itself: when a promotion cycle was last due."""

from datetime import UTC, datetime

import pytest

from gameplay.serving.process_metrics import due_cycle

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
