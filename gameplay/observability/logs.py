"""What the process writes to its log, and what an unexpected error writes: without secrets."""

import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.logging import RichHandler

from gameplay.observability.request_ids import RequestIds
from ledger.masking import Masking

# They log every step and every request, which would bury all else. SQLAlchemy's pool logs by our pool's name.
CHATTY = ("alembic", "apscheduler", "httpx2", "httpcore2", "ledger.engines.pool")


class MaskedFormatter(logging.Formatter):
    """Another formatter's lines, tracebacks included, without secrets."""

    def __init__(self, inner: logging.Formatter, masked: Masking) -> None:
        super().__init__()
        self._inner = inner
        self._masked = masked

    def format(self, record: logging.LogRecord) -> str:
        """The line, masked."""
        return self._masked(self._inner.format(record))


def log_to(console: Console, masked: Masking, *, level: int = logging.INFO) -> None:
    """Have everything logged to standard error, on a terminal by `console`. Does nothing the second time."""
    if console.is_terminal:
        handler: logging.Handler = RichHandler(console=console, show_path=False)
        formatter = logging.Formatter("%(message)s%(request)s")
    else:  # one event, one line, with its date: what keeps logs cuts and searches them by line
        handler = logging.StreamHandler()
        formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s%(request)s")
    handler.addFilter(RequestIds())
    handler.addFilter(_is_for_people)
    handler.setFormatter(MaskedFormatter(formatter, masked))
    logging.basicConfig(level=level, handlers=[handler])
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _is_for_people(record: logging.LogRecord) -> bool:
    """Whether a logger of its own says it, or it is a warning: scipy's search tells the root logger each step."""
    return record.name != "root" or record.levelno >= logging.WARNING


def mask_process(masked: Masking) -> None:
    """Have everything masked that libraries log by handlers of their own, and the interpreter's last words.

    A library's error repeats the address that it could not reach, and no handler of ours has a part in it.
    """
    _mask_records(masked)
    _mask_tracebacks(masked)


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


def _mask_tracebacks(masked: Masking) -> None:
    def show(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        sys.stderr.write(masked("".join(traceback.format_exception(kind, error, trace))))

    def show_of_thread(ended: threading.ExceptHookArgs) -> None:
        show(ended.exc_type, ended.exc_value, ended.exc_traceback)

    sys.excepthook = show
    threading.excepthook = show_of_thread
