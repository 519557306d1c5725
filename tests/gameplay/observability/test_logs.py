import logging
import subprocess
import sys
from pathlib import Path

import pytest

from gameplay.observability.logs import MaskedFormatter
from ledger.masking import Masking

masked = Masking(["hush-hush"])


def line(**more: object) -> str:
    record = logging.LogRecord("rps", logging.WARNING, "here.py", 1, "no answer from %s", ("hush-hush",), None)
    record.__dict__.update(more)
    return MaskedFormatter(logging.Formatter("%(levelname)s %(message)s"), masked).format(record)


def test_a_log_line_has_no_secret() -> None:
    assert line() == "WARNING no answer from ***"


def test_a_logged_traceback_has_no_secret_in_any_of_its_errors() -> None:
    error = RuntimeError("the registry is away")
    error.__cause__ = ConnectionError("https://ada:hush-hush@mlflow")

    shown = line(exc_info=(RuntimeError, error, None))

    assert "hush" not in shown
    assert "ConnectionError: https://***@mlflow" in shown


@pytest.mark.parametrize("error", ["", ", exc_info=ConnectionError(sys.argv[1])"])
def test_a_library_that_logs_by_a_handler_of_its_own_shows_no_secret(error: str) -> None:
    program = f"""
import logging, sys
from gameplay.observability.logs import mask_process
from ledger.masking import Masking
mask_process(Masking([sys.argv[1]]))
log = logging.getLogger("library")
log.propagate = False
log.addHandler(logging.StreamHandler())
log.warning("no answer from %s, %d", sys.argv[1], 7{error})
"""
    arguments = [sys.executable, "-c", program, "hush-hush"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)

    assert done.stderr.startswith("no answer from ***, 7\n")
    assert "hush" not in done.stderr


@pytest.mark.parametrize("work", ["fail()", "t = threading.Thread(target=fail); t.start(); t.join()"])
def test_an_error_that_ends_the_process_or_a_thread_shows_no_secret(work: str) -> None:
    program = f"""
import sys, threading
from gameplay.observability.logs import mask_process
from ledger.masking import Masking
mask_process(Masking([sys.argv[1]]))
def fail(): raise RuntimeError(sys.argv[1])
{work}
"""
    arguments = [sys.executable, "-c", program, "hush-hush"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)

    assert "RuntimeError: ***" in done.stderr
    assert "hush" not in done.stderr


def test_a_line_names_the_request_that_it_is_about() -> None:
    program = """
import logging, threading
from rich.console import Console
from gameplay.observability.logs import log_to
from gameplay.observability.request_ids import request_id
from ledger.masking import Masking
log_to(Console(), Masking())
logging.warning("before")
request_id.set("mine")
logging.warning("within")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    before, within = done.stderr.splitlines()
    assert before.endswith("WARNING root: before")
    assert within.endswith("WARNING root: within [request mine]")


def test_the_end_of_a_command_is_no_line_of_the_log(tmp_path: Path) -> None:
    program = """
from rich.console import Console
from gameplay.observability.logs import log_to
from ledger.engines.database import disposing, open_engine, transaction
from ledger.masking import Masking
import sys

log_to(Console(stderr=True), Masking(()))
with disposing(open_engine(sys.argv[1])) as engine, transaction(engine):
    pass
"""
    done = subprocess.run(
        [sys.executable, "-c", program, f"sqlite:///{tmp_path / 'x.db'}"],
        check=True,
        capture_output=True,
        text=True,
    )

    assert "Pool" not in done.stderr


def test_the_steps_of_an_exact_test_are_no_lines_of_the_log() -> None:
    program = """
from rich.console import Console
from gameplay.observability.logs import log_to
from ledger.masking import Masking
from scipy.stats import boschloo_exact
import logging

log_to(Console(stderr=True), Masking(()))
boschloo_exact([[3, 1], [2, 4]])
logging.getLogger("gameplay").info("ours")
logging.warning("of the root")
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert [line.split(": ", 1)[1] for line in done.stderr.splitlines()] == ["ours", "of the root"]
