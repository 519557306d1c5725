"""What the process writes to its log, and what an unexpected error writes: without secrets."""

import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console
from rich.logging import RichHandler
from rich.text import Text

from gameplay.log_style import PLAIN, LogStyle
from gameplay.observability.log_lines import JsonLines, TextLines
from gameplay.observability.log_streams import as_json
from gameplay.observability.request_ids import RequestIds
from ledger.masking import Masking

log = logging.getLogger(__name__)

# They log every step and every request, which would bury all else. SQLAlchemy's pool logs by our pool's name.
CHATTY = ("alembic", "apscheduler", "httpx2", "httpcore2", "ledger.engines.pool")


def log_to(console: Console, masked: Masking, style: LogStyle, stream: TextIO | None = None) -> None:
    """Have everything logged to standard error, or to `stream`. Does nothing the second time.

    On a terminal `console` shows text; elsewhere one event is one line with its date, because what keeps logs cuts
    and searches them by line.
    """
    handler: logging.Handler = logging.StreamHandler(stream)
    formatter: logging.Formatter = TextLines(masked)
    if style.format == "json":
        formatter = JsonLines(masked)
    elif console.is_terminal:
        handler = RichHandler(console=console, show_path=False, log_time_format=_shown_utc)
        formatter = TextLines(masked, "%(message)s")
    handler.addFilter(RequestIds())
    handler.addFilter(_is_for_people)
    handler.setFormatter(formatter)
    logging.basicConfig(level=style.level.upper(), handlers=[handler])
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


@contextmanager
def logging_process(console: Console, masked: Masking, style: LogStyle) -> Iterator[None]:
    """A program's whole life: its log, its warnings, its last words, without secrets and in one style."""
    mask_process(masked, style)
    logging.captureWarnings(True)
    if style.format == "text":
        log_to(console, masked, style)
        yield
        return
    with as_json("stderr", JsonLines(masked)) as true:
        log_to(console, masked, style, true)
        yield


def _shown_utc(local: datetime) -> Text:
    return Text(f"[{local.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}]")


def _is_for_people(record: logging.LogRecord) -> bool:
    """Whether a logger of its own says it, or it is a warning: libraries tell the root logger each step."""
    return record.name != "root" or record.levelno >= logging.WARNING


def mask_process(masked: Masking, style: LogStyle = PLAIN) -> None:
    """Have everything masked that libraries log by handlers of their own, and the interpreter's last words.

    A library's error repeats the address that it could not reach, and no handler of ours has a part in it.
    """
    _mask_records(masked)
    _mask_tracebacks(masked, style)


def _mask_records(masked: Masking) -> None:
    make = logging.getLogRecordFactory()

    def make_masked(*arguments: Any, **more: Any) -> logging.LogRecord:
        record = make(*arguments, **more)
        record.msg, record.args = masked(record.getMessage()), ()
        if record.exc_info and record.exc_info[0] is not None:
            # Formatters take this text where there is one, instead of the exception.
            record.exc_text = masked("".join(traceback.format_exception(*record.exc_info)).rstrip())
        return record

    logging.setLogRecordFactory(make_masked)


def _mask_tracebacks(masked: Masking, style: LogStyle) -> None:
    def show(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        if style.format == "json":
            log.critical("an error that was not expected", exc_info=(kind, error or kind(), trace))
        else:
            sys.stderr.write(masked("".join(traceback.format_exception(kind, error, trace))))

    def show_of_thread(ended: threading.ExceptHookArgs) -> None:
        show(ended.exc_type, ended.exc_value, ended.exc_traceback)

    sys.excepthook = show
    threading.excepthook = show_of_thread
