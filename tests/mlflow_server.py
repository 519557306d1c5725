"""`mlflow server`, which a test can stop and start again, and its answers over REST."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from scripts.children import Child
from scripts.ports import free_port
from tests.patience import PATIENCE_SECONDS

HOST = "127.0.0.1"
START_SECONDS_MAX = 180.0


# Its webhooks may go to this machine, and to plain HTTP.
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "https,http",
    "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
}


class MlflowServer:
    """`mlflow server` over a folder, in processes of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.uri = f"http://{HOST}:{self.port}"
        self._folder = folder
        self._process: Child | None = None

    def start(self) -> None:
        command = [
            str(Path(sys.executable).with_name("mlflow")),
            "server",
            "--host",
            HOST,
            "--port",
            str(self.port),
        ]
        stores = {"backend-store-uri": f"sqlite:///{self._folder / 'mlflow.db'}"}
        stores["artifacts-destination"] = str(self._folder / "artifacts")
        options = [f"--{name}={value}" for name, value in stores.items()]
        self._process = Child(
            [*command, "--workers=1", *options],
            env={**os.environ, **_SETTINGS},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._wait()

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)  # it has workers, all of its own session
            self._process.wait()
            self._process = None

    def get(self, call: str, **query: str) -> Any:
        """The answer to a GET of MLflow's REST interface."""
        return self._answer(urllib.request.Request(f"{self._api(call)}?{urllib.parse.urlencode(query)}"))

    def post(self, call: str, body: object) -> Any:
        """The answer to a POST of MLflow's REST interface."""
        headers = {"Content-Type": "application/json"}
        return self._answer(urllib.request.Request(self._api(call), msgspec.json.encode(body), headers))

    def _api(self, call: str) -> str:
        return f"{self.uri}/api/2.0/mlflow/{call}"

    def _answer(self, request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return msgspec.json.decode(answer.read())

    def _wait(self) -> None:
        assert self._process is not None
        self._process.wait_until("MLflow", self._is_up, START_SECONDS_MAX)

    def _is_up(self) -> bool:
        with (
            suppress(urllib.error.URLError, ConnectionError),
            urllib.request.urlopen(f"{self.uri}/health", timeout=PATIENCE_SECONDS),
        ):
            return True
        return False
