"""How a process logs: known before its settings can be read."""

from collections.abc import Mapping
from typing import NamedTuple

FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error", "critical")


class LogStyle(NamedTuple):
    """The form of the log's lines, and the least level that is logged."""

    format: str
    level: str


PLAIN = LogStyle("text", "info")


def style_in(environ: Mapping[str, str]) -> LogStyle:
    """The style that is asked for; a wrong word counts for nothing here, and is an error of the settings."""
    form, level = environ.get("RPS_LOG_FORMAT", "").lower(), environ.get("RPS_LOG_LEVEL", "").lower()
    return LogStyle(form if form in FORMATS else PLAIN.format, level if level in LEVELS else PLAIN.level)
