import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gameplay.observability.log_lines import TextLines
from ledger.masking import Masking

masked = Masking(["hush-hush"])


def line(**more: object) -> str:
    record = logging.LogRecord("rps", logging.WARNING, "here.py", 1, "no answer from %s", ("hush-hush",), None)
    record.__dict__.update(more)
    return TextLines(masked, "%(levelname)s %(message)s").format(record)


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
from gameplay.log_style import PLAIN
from gameplay.observability.logs import log_to
from gameplay.observability.request_ids import request_id
from ledger.masking import Masking
log_to(Console(), Masking(), PLAIN)
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
from gameplay.log_style import PLAIN
from gameplay.observability.logs import log_to
from ledger.engines.database import disposing, open_engine, transaction
from ledger.masking import Masking
import sys

log_to(Console(stderr=True), Masking(()), PLAIN)
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


def test_what_a_library_tells_the_root_logger_is_no_line_of_the_log() -> None:
    program = """
from rich.console import Console
from gameplay.log_style import PLAIN
from gameplay.observability.logs import log_to
from ledger.masking import Masking
import logging

log_to(Console(stderr=True), Masking(()), PLAIN)
logging.info("a step of a search")
logging.getLogger("gameplay").info("ours")
logging.warning("of the root")
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert [line.split(": ", 1)[1] for line in done.stderr.splitlines()] == ["ours", "of the root"]


NOISE = """
import logging, os, subprocess, sys, threading, warnings
from rich.console import Console
from gameplay.log_style import LogStyle
from gameplay.observability.log_lines import JsonLines
from gameplay.observability.log_streams import as_json
from gameplay.observability.logs import logging_process
from ledger.masking import Masking

masked = Masking(["hush-hush"])
console = Console(stderr=True)
with logging_process(console, masked, LogStyle("json", "info")), as_json("stdout", JsonLines(masked)):
    logging.getLogger("gameplay").info("ours %s", "hush-hush", extra={"facts": {"position": 7}})
    warnings.warn("a library's warning")
    library = logging.getLogger("library")
    library.propagate = False
    library.addHandler(logging.StreamHandler())
    library.error("by a handler of its own")
    print("printed, with hush-hush")
    os.write(1, b"written by an extension\\n")
    os.write(2, b"error in an extension \\xff\\n\\n")
    console.print("a remark")
    subprocess.run([sys.executable, "-c", "print('by a child')"])
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    print("unfinished", end="")
raise RuntimeError("the last words, hush-hush")
"""


def test_every_line_of_both_streams_is_json_whatever_writes_it() -> None:
    done = subprocess.run([sys.executable, "-c", NOISE], capture_output=True, text=True, check=False)

    printed = [json.loads(line) for line in done.stdout.splitlines()]
    said = [json.loads(line) for line in done.stderr.splitlines()]
    assert "hush" not in done.stdout + done.stderr
    assert {one["message"] for one in printed} == {
        "printed, with ***",
        "written by an extension",
        "by a child",
        "unfinished",
    }
    messages = {one["message"]: one for one in said}
    assert messages["ours ***"]["position"] == 7
    assert messages["by a handler of its own"]["logger"] == "stderr"
    assert messages["error in an extension \\xff"]["level"] == "WARNING"
    assert messages["a remark"]["level"] == "INFO"
    assert [one["logger"] for one in said if "a library's warning" in one["message"]] == ["py.warnings"]
    assert [one["error"].splitlines()[-1] for one in said if one["level"] == "CRITICAL"] == [
        "ZeroDivisionError: division by zero",
        "RuntimeError: the last words, ***",
    ]


def test_a_command_that_cannot_do_its_work_says_so_in_json() -> None:
    program = str(Path(sys.executable).with_name("rps"))
    environment = {"PATH": os.environ["PATH"], "RPS_LOG_FORMAT": "json", "RPS_PORT": "x"}
    done = subprocess.run([program, "config"], env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert [json.loads(line)["message"] for line in done.stderr.splitlines()] == [
        "rps: RPS_PORT='x' does not parse: it is not a whole number"
    ]
