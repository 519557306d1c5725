"""When a cron line fires: crontab(5) as Vixie's cron reads it, in UTC."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from cronsim import CronSim, CronSimError

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
FIELDS = ("minute", "hour", "day of month", "month", "day of week")

# The library reads a sixth field, L, LW and # as well, and no other cron does: a line that only this service
# understands would mean something else wherever it is copied to.
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NUMBERS = {name: number for number, name in (*enumerate(_MONTHS, 1), *enumerate(_WEEKDAYS))}
_NUMBER = r"\d{1,2}"
_MONTH = rf"(?:{_NUMBER}|{'|'.join(_MONTHS)})"
_WEEKDAY = rf"(?:{_NUMBER}|{'|'.join(_WEEKDAYS)})"
_NAME = re.compile("[a-z]+", re.IGNORECASE)
_RANGE_OF_ONE = re.compile(r"\b0*(\d+)-0*\1/\d+")
_PATTERNS = tuple(
    re.compile(rf"(?:{item})(?:,(?:{item}))*", re.IGNORECASE | re.ASCII)
    for item in (
        rf"(?:\*|{one}(?:-{one})?)(?:/{_NUMBER})?" for one in (_NUMBER, _NUMBER, _NUMBER, _MONTH, _WEEKDAY)
    )
)


class CronError(ValueError):
    """A line that crontab(5) does not know, or that never fires."""


class Crontab:
    """A cron line. Raises CronError for one that cannot be read or never fires."""

    def __init__(self, line: str) -> None:
        self.line = line
        self._fields = _fields(line)
        self.after(datetime.now(UTC))  # any time will do: the library looks fifty years ahead

    def after(self, time: datetime) -> datetime:
        """The first firing later than `time`."""
        return next(self.firings(time))

    def latest(self, time: datetime) -> datetime:
        """The last firing at `time` or earlier."""
        second = time.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        return next(CronSim(self._fields, second, reverse=True))

    def firings(self, after: datetime) -> Iterator[datetime]:
        """Every firing later than `after`, in order."""
        try:
            yield from CronSim(self._fields, after.astimezone(UTC))
        except CronSimError as error:
            raise CronError(f"{self.line!r}: {_in_words(error)}") from error
        raise CronError(f"{self.line!r} never fires: no month has such a day")


def next_firings(line: str, now: datetime, count: int) -> list[datetime]:
    """The next `count` times at which a line fires, in UTC. Raises CronError."""
    return list(islice(Crontab(line).firings(now), count))


def _fields(line: str) -> str:
    if line.strip().startswith("@"):
        if (meant := MACROS.get(line.strip().lower())) is None:
            raise CronError(f"{line!r} is not one of {' '.join(MACROS)}")
        return meant
    fields = line.split()
    if len(fields) != len(FIELDS):
        raise CronError(f"{line!r} has {len(fields)} fields and not five: {', '.join(FIELDS)}")
    for name, pattern, field in zip(FIELDS, _PATTERNS, fields, strict=True):
        if not pattern.fullmatch(field):
            raise CronError(f"{line!r}: {field!r} is no {name} as crontab(5) writes it")
    numbered = _NAME.sub(lambda name: str(_NUMBERS[name[0].lower()]), " ".join(fields))
    # The library takes the steps of a range of one, as in 5-5/2, on to the field's end.
    return _RANGE_OF_ONE.sub(r"\1", numbered)


def _in_words(error: CronSimError) -> str:
    """The library says `Bad day-of-month` both for the 32nd and for the 31st of February."""
    return f"{str(error).removeprefix('Bad ').replace('-', ' ')} is out of range, or no month has such a day"
