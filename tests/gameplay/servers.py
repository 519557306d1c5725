"""MLflow over HTTP, which a test can stop and start again."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.prometheus.processes import free_port

HOST = "127.0.0.1"
START_SECONDS_MAX = 60.0


class MlflowServer:
    """`mlflow server` over a folder, in processes of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.uri = f"http://{HOST}:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

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
        self._process = subprocess.Popen(
            [*command, "--workers=1", *options],
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
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

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
        raise TimeoutError("MLflow did not start")
