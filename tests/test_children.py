"""Programs that tests start end with the run, also where that is killed and executes no line more."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from select import select

import pytest

from scripts.children import Child, EndedError
from tests.postgresql import WHEEL, require

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 60.0
RUN = """
import json, os, signal, sys
from pathlib import Path
from subprocess import DEVNULL, PIPE
from scripts.children import Child
from scripts.postgresql import programs, serving

SLEEP = "import signal; signal.pause()"
# A server with workers: it leads a group, and when it is killed its worker is left to nobody.
START = f"subprocess.Popen([sys.executable, '-c', {SLEEP!r}])"
LEAD = f"import subprocess, sys; print({START}.pid, flush=True); {SLEEP}"

def test_that_is_killed():
    alone = Child([sys.executable, "-c", SLEEP])
    leader = Child([sys.executable, "-c", LEAD], stdout=PIPE, start_new_session=True)
    worker = int(leader.stdout.readline())
    with serving(programs()["postgresql"]) as server:
        postmaster = int((server.data / "postmaster.pid").read_text().split()[0])
        pids = [alone.pid, leader.pid, worker, postmaster]
        Path("started.json").write_text(json.dumps([pids, str(server.folder)]))
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.postgresql
def test_what_a_killed_run_has_started_ends_with_it(tmp_path: Path) -> None:
    require(WHEEL)
    (tmp_path / "test_killed.py").write_text(RUN)
    (tmp_path / "pytest.ini").write_text("[pytest]")

    killed = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_killed.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert killed.returncode == -signal.SIGKILL, killed.stdout
    pids, folder = json.loads((tmp_path / "started.json").read_text())
    for pid in pids:
        assert has_ended(pid), pid
    deadline = time.monotonic() + PATIENCE_SECONDS
    while Path(folder).exists():
        assert time.monotonic() < deadline, folder
        time.sleep(0.02)


def test_a_program_that_ends_by_itself_is_named_with_how() -> None:
    crash = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    for code, how in (
        ("raise SystemExit(3)", "with exit status 3"),
        (crash, "by SIGSEGV"),
        ("", "with exit status 0"),
    ):
        with Child([sys.executable, "-S", "-c", code]) as child, pytest.raises(EndedError, match=how):
            child.wait_until("the program", lambda: False, PATIENCE_SECONDS)


def test_a_program_that_was_asked_to_end_may() -> None:
    for asked in (signal.SIGTERM, signal.SIGKILL):
        with Child([sys.executable, "-S", "-c", "import signal; signal.pause()"]) as child:
            child.check("the program")
            child.send_signal(asked)
            child.wait(PATIENCE_SECONDS)
            child.kill()
            child.check("the program")


def test_a_program_that_is_not_ready_in_time_is_said_to_run() -> None:
    with Child([sys.executable, "-S", "-c", "import signal; signal.pause()"]) as child:
        with pytest.raises(TimeoutError, match=r"the program is not ready within 0 s; its process runs"):
            child.wait_until("the program", lambda: False, 0.0)
        child.kill()


def has_ended(pid: int) -> bool:
    with suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        try:
            return bool(select([pidfd], [], [], PATIENCE_SECONDS)[0])
        finally:
            os.close(pidfd)
    return True
