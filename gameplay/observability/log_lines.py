"""One event, one line: as text for people, or as one JSON object for programs."""

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from ledger.masking import Masking

_is_alarming = re.compile(r"warn|error|fatal|exception|traceback", re.IGNORECASE).search
# What a line of text says after its message, and how it calls it.
_SHOWN = {"position": "position", "request_id": "request", "trace_id": "trace"}


class TextLines(logging.Formatter):
    """`TIME LEVEL LOGGER: MESSAGE [position 7, request ...]`, and the traceback below it. Without secrets."""

    def __init__(self, masked: Masking, pattern: str = "%(asctime)s %(levelname)s %(name)s: %(message)s") -> None:
        super().__init__(pattern)
        self._masked = masked

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        return utc(record.created)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        more = [f"{_SHOWN[name]} {value}" for name, value in _facts(record).items() if name in _SHOWN]
        return super().formatMessage(record) + (f" [{', '.join(more)}]" if more else "")

    def format(self, record: logging.LogRecord) -> str:
        return self._masked(super().format(record))


class JsonLines(logging.Formatter):
    """One JSON object a record. Without secrets: a value is masked before its quotes are escaped."""

    def __init__(self, masked: Masking) -> None:
        super().__init__()
        self._masked = masked

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": utc(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_facts(record),
        }
        if record.exc_text or record.exc_info:
            fields["error"] = record.exc_text or self.formatException(record.exc_info)  # type: ignore[arg-type]
        return self._encode(fields)

    def foreign(self, stream: str, text: str, created: float) -> str:
        """A line that something has written past the log, on standard error or output."""
        if is_object(text):
            return text
        level = "WARNING" if _is_alarming(text) else "INFO"
        return self._encode({"time": utc(created), "level": level, "logger": stream, "message": text})

    def _encode(self, fields: Mapping[str, Any]) -> str:
        shown = {name: self._masked(value) if isinstance(value, str) else value for name, value in fields.items()}
        return msgspec.json.encode(shown).decode()


def utc(created: float) -> str:
    """A time as ISO 8601 with milliseconds."""
    return f"{datetime.fromtimestamp(created, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def is_object(text: str) -> bool:
    """Whether the text is one JSON object."""
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {**getattr(record, "facts", {}), **getattr(record, "request", {})}
