"""When a job runs, what was missed, and what becomes of its next run when the clock is set."""

from abc import abstractmethod
from datetime import datetime, timedelta
from itertools import islice, takewhile

from apscheduler.triggers.base import BaseTrigger

from gameplay.cron import Crontab

MISSED_MAX = 10_000
"""More missed runs are not counted: ten years of cron lines would take minutes to walk through."""


class Trigger(BaseTrigger):  # type: ignore[misc]  # the library has no types
    """A library trigger that also knows the past: `due` is a run that was planned and has come."""

    stays_due = False
    """Whether a run that could not do its work is still due, and not left to the next one."""

    @abstractmethod
    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The run after the previous one, or the first one after now."""

    @abstractmethod
    def latest(self, due: datetime, now: datetime) -> datetime:
        """The last run that has come by now: of several only this one is made up for."""

    @abstractmethod
    def missed(self, due: datetime, latest: datetime) -> int:
        """How many runs there were from `due` on, without the latest."""

    @abstractmethod
    def moved(self, due: datetime, step: timedelta, looked: datetime) -> datetime:
        """The next run, planned for `due` before the clock was set by `step`.

        `looked` is the time of the last look for due runs, as the clock now reads.
        """


class Every(Trigger):
    """Again and again after so many seconds."""

    def __init__(self, seconds: int) -> None:
        self._period = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """A period after the previous run."""
        return (previous or now) + self._period

    def latest(self, due: datetime, now: datetime) -> datetime:
        """On the grid of periods that begins with the run that was planned."""
        return due + (now - due) // self._period * self._period

    def missed(self, due: datetime, latest: datetime) -> int:
        """The periods between the two."""
        return (latest - due) // self._period

    def moved(self, due: datetime, step: timedelta, looked: datetime) -> datetime:  # noqa: ARG002
        """As far away as before: a period is a duration, and the clock on the wall has no say in it."""
        return due + step


class AtFirings(Trigger):
    """At every firing of a cron line. The next one may be a day away."""

    stays_due = True

    def __init__(self, crontab: Crontab) -> None:
        self._crontab = crontab

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The firing after the previous one."""
        return self._crontab.after(previous or now)

    def latest(self, due: datetime, now: datetime) -> datetime:
        """The last firing, which is never more than a period ago."""
        return max(due, self._crontab.latest(now))

    def missed(self, due: datetime, latest: datetime) -> int:
        """The firings before the latest."""
        if due == latest:
            return 0
        between = takewhile(lambda firing: firing < latest, self._crontab.firings(due))
        return 1 + sum(1 for _ in islice(between, MISSED_MAX - 1))

    def moved(self, due: datetime, step: timedelta, looked: datetime) -> datetime:  # noqa: ARG002
        """The next firing by the new time: after a step forward it has come, after one back it is nearer."""
        return min(due, self._crontab.after(looked))
