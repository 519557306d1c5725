"""Programs that a test starts, waits for, and ends by their process id."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.children import Child
from tests.patience import PATIENCE_SECONDS

POLL_SECONDS = 0.05
RPS = str(Path(sys.executable).with_name("rps"))


def clean_environment(**settings: str) -> dict[str, str]:
    """The environment without this project's variables, and with these."""
    ours = ("RPS_", "MLFLOW_", "METRICS_", "GRAFANA_", "MINIO_", "AB_", "ENABLE_AB")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | settings


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """A program to its end; when it fails, an assertion with what it said."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"


@contextmanager
def running(command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """A program in the background; what it says goes into a file."""
    with log.open("wb") as output:
        process = Child(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(what: str, condition: Callable[[], Any], log: Path | None = None) -> Any:
    """What the condition returns once that is true; else an assertion with the end of a program's log."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        if found := condition():
            return found
        assert time.monotonic() < deadline, f"{what}: it never happened\n{log.read_text()[-2_000:] if log else ''}"
        time.sleep(POLL_SECONDS)


def get(url: str, **query: str) -> Any:
    """The JSON behind a URL; None while there is no answer."""
    try:
        with urllib.request.urlopen(
            f"{url}?{urllib.parse.urlencode(query)}" if query else url, timeout=PATIENCE_SECONDS
        ) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 503:
                return None
            raise AssertionError(f"{url} {query}: {error.code} {error.read().decode()}") from error
    except (urllib.error.URLError, ConnectionError):
        return None


def post(url: str, body: object) -> Any:
    """The JSON answer to a JSON body."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        return json.load(answer)
