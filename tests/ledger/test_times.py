import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidTextError
from ledger.times import parse_epoch_or_time, parse_time, parse_when, show_time


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-12", "2026-11-12T00:00:00.000000Z"),
        ("2026-11-12T10:00:00.5+02:00", "2026-11-12T08:00:00.500000Z"),
        ("2026-11-12 10:00", "2026-11-12T10:00:00.000000Z"),
    ],
)
def test_a_time_without_a_zone_is_utc(text: str, shown: str) -> None:
    assert show_time(parse_time(text)) == shown


@given(st.integers(parse_time("0001-01-01"), parse_time("9999-12-31")))
def test_a_time_that_is_shown_can_be_given_back(time_us: int) -> None:
    assert parse_time(show_time(time_us)) == time_us


@pytest.mark.parametrize("time_us", [-(2**63), 2**63 - 1, parse_time("9999-12-31") + 86_400_000_000])
def test_a_number_that_is_no_time_is_shown_as_it_is(time_us: int) -> None:
    assert show_time(time_us) == f"{time_us} us, which is no time"


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "2026-11-12T25:00", "1763000000", "\uff12026-11-12"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidTextError, match="is not an ISO 8601 time such as 2026-11-12"):
        parse_time(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1763000000", "2025-11-13T02:13:20.000000Z"),
        ("1763000000123", "2025-11-13T02:13:20.123000Z"),
        ("1763000000.123456", "2025-11-13T02:13:20.123456Z"),
        ("0", "1970-01-01T00:00:00.000000Z"),
        ("2025-11-13T02:13:20Z", "2025-11-13T02:13:20.000000Z"),
    ],
)
def test_epoch_seconds_milliseconds_and_iso_times_are_recognized(text: str, shown: str) -> None:
    assert show_time(parse_epoch_or_time(text)) == shown


@pytest.mark.parametrize(
    "text",
    ["-1", "-1763000000123", "9" * 30, "1e9", "1_763_000", " 1763000000", "nan", "inf", "0001-01-01", "x"],
)
def test_what_is_neither_an_epoch_time_nor_iso_is_refused(text: str) -> None:
    with pytest.raises(InvalidTextError, match="is not a"):
        parse_epoch_or_time(text)


NOW = parse_time("2026-11-26T16:30:00Z")


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("-2h", "2026-11-26T14:30:00Z"),
        ("-90s", "2026-11-26T16:28:30Z"),
        ("-1w", "2026-11-19T16:30:00Z"),
        ("now", "2026-11-26T16:30:00Z"),
        ("today", "2026-11-26"),
        ("yesterday", "2026-11-25"),
        ("2026-11-12T09:30:00Z", "2026-11-12T09:30:00Z"),
        ("-999999999w", "1970-01-01"),
    ],
)
def test_a_time_may_be_said_by_today(text: str, time: str) -> None:
    assert parse_when(text, NOW) == parse_time(time)


@pytest.mark.parametrize("text", ["2h", "-2", "-h", "-2H", "-1.5h", "--2h", "tomorrow", "-\u0662h", ""])
def test_what_is_no_time_by_today_is_refused(text: str) -> None:
    with pytest.raises(InvalidTextError, match="nor -2h, today or yesterday"):
        parse_when(text, NOW)
