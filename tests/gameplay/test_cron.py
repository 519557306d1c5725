"""Cron lines, held against crontab(5) read by brute force: every minute of years is asked whether it fires."""

import calendar
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameplay.cron import CronError, Crontab, next_firings

THURSDAY = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
MONTHS = [name.lower() for name in calendar.month_abbr[1:]]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


def firings(line: str, count: int = 3, now: datetime = THURSDAY) -> list[str]:
    return [f"{time:%a %Y-%m-%d %H:%M}" for time in next_firings(line, now, count)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0 3 * * 0", ["Sun 2026-01-04 03:00", "Sun 2026-01-11 03:00", "Sun 2026-01-18 03:00"]),
        ("0 3 * * 7", ["Sun 2026-01-04 03:00", "Sun 2026-01-11 03:00", "Sun 2026-01-18 03:00"]),
        ("0 3 * * Sun", ["Sun 2026-01-04 03:00", "Sun 2026-01-11 03:00", "Sun 2026-01-18 03:00"]),
        ("30 9 * * 1-5", ["Fri 2026-01-02 09:30", "Mon 2026-01-05 09:30", "Tue 2026-01-06 09:30"]),
        ("30 9 * * mon-fri/2", ["Fri 2026-01-02 09:30", "Mon 2026-01-05 09:30", "Wed 2026-01-07 09:30"]),
        ("0 0 * * 5-7", ["Fri 2026-01-02 00:00", "Sat 2026-01-03 00:00", "Sun 2026-01-04 00:00"]),
        ("0 0 13 * 5", ["Fri 2026-01-02 00:00", "Fri 2026-01-09 00:00", "Tue 2026-01-13 00:00"]),
        ("0 0 */10 * 5", ["Fri 2026-05-01 00:00", "Fri 2026-07-31 00:00", "Fri 2026-08-21 00:00"]),
        ("0 0 1 jan,JUL *", ["Wed 2026-07-01 00:00", "Fri 2027-01-01 00:00", "Thu 2027-07-01 00:00"]),
        ("0 0 29 2 *", ["Tue 2028-02-29 00:00", "Sun 2032-02-29 00:00", "Fri 2036-02-29 00:00"]),
        ("*/25 12 * * *", ["Thu 2026-01-01 12:25", "Thu 2026-01-01 12:50", "Fri 2026-01-02 12:00"]),
        ("5/20 12 * * *", ["Thu 2026-01-01 12:05", "Thu 2026-01-01 12:25", "Thu 2026-01-01 12:45"]),
        ("7-7/20 12 * * *", ["Thu 2026-01-01 12:07", "Fri 2026-01-02 12:07", "Sat 2026-01-03 12:07"]),
        ("0 0 * * sun-00/2", ["Sun 2026-01-04 00:00", "Sun 2026-01-11 00:00", "Sun 2026-01-18 00:00"]),
        ("@hourly", ["Thu 2026-01-01 13:00", "Thu 2026-01-01 14:00", "Thu 2026-01-01 15:00"]),
        ("@daily", ["Fri 2026-01-02 00:00", "Sat 2026-01-03 00:00", "Sun 2026-01-04 00:00"]),
        ("@midnight", ["Fri 2026-01-02 00:00", "Sat 2026-01-03 00:00", "Sun 2026-01-04 00:00"]),
        ("@weekly", ["Sun 2026-01-04 00:00", "Sun 2026-01-11 00:00", "Sun 2026-01-18 00:00"]),
        ("@monthly", ["Sun 2026-02-01 00:00", "Sun 2026-03-01 00:00", "Wed 2026-04-01 00:00"]),
        ("@Yearly", ["Fri 2027-01-01 00:00", "Sat 2028-01-01 00:00", "Mon 2029-01-01 00:00"]),
        ("@annually", ["Fri 2027-01-01 00:00", "Sat 2028-01-01 00:00", "Mon 2029-01-01 00:00"]),
    ],
)
def test_a_line_fires_as_crontab_says(line: str, expected: list[str]) -> None:
    assert firings(line) == expected


@pytest.mark.parametrize("line", ["0 0 31 2 *", "0 0 30,31 feb *", "0 0 31 4,6,9,11 *", "0 0 31 2 */2"])
def test_a_line_that_never_fires_is_refused(line: str) -> None:
    with pytest.raises(CronError, match="no month has such a day"):
        Crontab(line)


@pytest.mark.parametrize(
    "line",
    [
        *("", "* * * *", "0 * * * * *", "nightly", "@reboot", "@fortnightly", "@", "@hourly 5"),
        *("60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *", "* * * 13 *", "* * * * 8"),
        *("*/0 * * * *", "5-1 * * * *", "1-2-3 * * * *", "1//2 * * * *", ",1 * * * *", "1, * * * *", "-1 * * * *"),
        *("* * L * *", "* * LW * *", "* * * * 5L", "* * * * 5#2", "* * ? * *", "* * W * *"),
        *("1_0 * * * *", "٣ * * * *", "0x1 * * * *", "1.5 * * * *", "* * mon * *", "* * * sun *", "9" * 5_000),
    ],
)
def test_what_crontab_does_not_know_is_refused_with_the_line(line: str) -> None:
    with pytest.raises(CronError) as refused:
        Crontab(line)

    assert repr(line) in str(refused.value)


def items(low: int, high: int, names: list[str]) -> st.SearchStrategy[str]:
    """An item of a field: a star, a number, a name or a range, perhaps with a step."""
    numbers = st.integers(low, high)
    one = numbers.map(str) if not names else numbers.map(str) | st.sampled_from(names)
    ranges = st.tuples(numbers, numbers).map(lambda pair: f"{min(pair)}-{max(pair)}")
    return st.tuples(st.just("*") | one | ranges, st.sampled_from(["", "", "/2", "/3", "/7"])).map("".join)


def fields(low: int, high: int, names: list[str] | None = None) -> st.SearchStrategy[str]:
    return st.just("*") | st.lists(items(low, high, names or []), min_size=1, max_size=2).map(",".join)


lines = st.tuples(fields(0, 59), fields(0, 23), fields(1, 28), fields(1, 12, MONTHS), fields(0, 7, WEEKDAYS)).map(
    " ".join
)


def members(field: str, low: int, high: int, names: list[str]) -> set[int]:
    """The numbers that a field stands for, by the words of crontab(5)."""
    found: set[int] = set()
    for item in field.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        numbers = [names.index(one) + low if one in names else int(one) for one in (first, last) if one not in "*"]
        if span == "*":
            numbers = [low, high]
        elif len(numbers) == 1 and step:
            numbers.append(high)
        found |= set(range(numbers[0], numbers[-1] + 1, int(step or 1)))
    return found


def fires(line: str, time: datetime) -> bool:
    minute, hour, day, month, weekday = line.split()
    weekdays = {number % 7 for number in members(weekday, 0, 7, WEEKDAYS)}
    is_day = time.day in members(day, 1, 31, [])
    is_weekday = time.isoweekday() % 7 in weekdays
    either = not day.startswith("*") and not weekday.startswith("*")
    return (
        time.minute in members(minute, 0, 59, [])
        and time.hour in members(hour, 0, 23, [])
        and time.month in members(month, 1, 12, MONTHS)
        and (is_day or is_weekday if either else is_day and is_weekday)
    )


def brute_force(line: str, after: datetime, through: datetime) -> list[datetime]:
    """Every firing in a span, a day at a time where no minute of it can fire."""
    minute, hour, *_ = line.split()
    days = (through - after).days + 2
    midnight = after.replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    for day in (midnight + timedelta(days=number) for number in range(days)):
        any_time = f"* * {' '.join(line.split()[2:])}"
        if fires(any_time, day):
            times = (
                day.replace(hour=hours, minute=minutes)
                for hours in sorted(members(hour, 0, 23, []))
                for minutes in sorted(members(minute, 0, 59, []))
            )
            found += [time for time in times if after < time <= through]
    return found


@settings(max_examples=60)
@given(line=lines, minutes=st.integers(0, 4 * 366 * 24 * 60), seconds=st.integers(0, 59))
def test_firings_are_those_that_a_look_at_every_minute_finds(line: str, minutes: int, seconds: int) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes, seconds=seconds)
    crontab = Crontab(line)

    found = next_firings(line, now, 5)

    assert found == brute_force(line, now, found[-1])[:5]
    assert [crontab.latest(time) for time in found] == found
    assert crontab.latest(found[0] - timedelta(microseconds=1)) <= now < found[0]
    assert brute_force(line, crontab.latest(now), now) == []
