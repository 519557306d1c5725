"""Real servers that a test can stop and start again: an S3 API, and MLflow over HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from uuid import uuid4

from moto.server import ThreadedMotoServer

from gameplay.config import Settings
from gameplay.models.store import ObjectModelStore, open_model_store, open_objects
from projections.objects import ObjectStore, S3Access

HOST = "127.0.0.1"
START_SECONDS_MAX = 60.0
STORE_KEY, STORE_SECRET = "the-key", "the-secret"


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        return int(listening.getsockname()[1])


class S3Server:
    """An S3 API whose objects outlast a stop, as those of a real one would."""

    def __init__(self) -> None:
        self.port = free_port()
        self.endpoint = f"http://{HOST}:{self.port}"
        self.access = S3Access(self.endpoint, STORE_KEY, STORE_SECRET)
        self._server: ThreadedMotoServer | None = None

    def start(self) -> None:
        self._server = ThreadedMotoServer(HOST, self.port, verbose=False)
        self._server.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def new_bucket(self) -> str:
        """The name of a bucket that was made just now."""
        name = f"bucket-{uuid4()}"
        request = urllib.request.Request(f"{self.endpoint}/{name}", method="PUT")
        with urllib.request.urlopen(request, timeout=10):
            return name

    def objects(self, bucket: str) -> ObjectStore:
        """The bucket, as any client has it."""
        return open_objects(f"s3://{bucket}", self.access)

    def store(self, bucket: str) -> ObjectModelStore:
        return open_model_store(f"s3://{bucket}", self.access)

    def settings(self, folder: Path, bucket: str, **more: object) -> Settings:
        """Settings over a data folder, with a bucket as the model store."""
        return Settings(
            data_dir=folder,
            model_store_url=f"s3://{bucket}",
            minio_endpoint=self.endpoint,
            minio_access_key=STORE_KEY,
            minio_secret_key=STORE_SECRET,
            promotion_schedule=None,
            **more,  # type: ignore[arg-type]
        )


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
