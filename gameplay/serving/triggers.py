"""When a job runs, in the words of the scheduler."""

from datetime import datetime

from apscheduler.triggers.base import BaseTrigger

from gameplay.cron import Crontab


class AtFirings(BaseTrigger):  # type: ignore[misc]  # the library has no types
    """At every firing of a cron line."""

    def __init__(self, crontab: Crontab) -> None:
        self._crontab = crontab

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The firing after the previous one."""
        return self._crontab.after(previous or now)
