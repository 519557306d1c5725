"""The product: three processes that play, two projectors, and the proxy before them."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from tests.failover.database import OPS
from tests.failover.programs import HOST, NotStartedError, Program, get, wait_for
from tests.mlflow_server import MlflowServer
from tests.s3_server import SHARED_BUCKET, S3Gateway, S3Storage

PLAYERS, PROJECTORS = 3, 2
READY_SECONDS = 90.0
SETUP_GAMES = 250
RPS = Path(sys.executable).with_name("rps")


class Process(Program):
    """One `rps serve`."""

    def __init__(self, name: str, port: int, folder: Path, environment: Mapping[str, str]) -> None:
        role = name.partition("-")[0]
        self.address = f"{HOST}:{port}"
        own = {
            "RPS_ROLE": role,
            "RPS_DATA_DIR": str(folder / name),
            "RPS_PORT": str(port),
            "RPS_LOG_LEVEL": "warning",
            "PYTHONFAULTHANDLER": "1",  # an end by SIGSEGV leaves its threads' stacks in the log
        }
        if role == "projector":
            own["RPS_SEAL_KEY"] = str(folder / "seal.key")
        super().__init__(name, [RPS, "serve"], folder, environment={**environment, **own})

    def wait(self) -> None:
        """Wait until it is ready."""

        def is_ready() -> bool:
            self.check()
            return bool(get(f"http://{self.address}/readyz"))

        wait_for(self.name, is_ready, READY_SECONDS)


class Product:
    """Everything above the database."""

    def __init__(self, folder: Path, database_url: str, ports: Iterator[int]) -> None:
        self._folder = folder
        self._storage = S3Storage(_made(folder / "s3"))
        self._gateway = S3Gateway(self._storage)
        self._mlflow = MlflowServer(_made(folder / "mlflow"))
        self.environment = {
            "RPS_DATABASE_URL": database_url,
            "MLFLOW_TRACKING_URI": self._mlflow.uri,
            "RPS_MODEL_STORE_URL": f"s3://{SHARED_BUCKET}/models",
            "MINIO_ENDPOINT": self._gateway.endpoint,
            "MINIO_ACCESS_KEY": self._gateway.access.access_key,
            "MINIO_SECRET_KEY": self._gateway.access.secret_key,
            "RPS_PROMOTION_SCHEDULE": "* * * * *",
        }
        self.players, self.projectors = (
            [Process(f"{role}-{number}", next(ports), folder, self.environment) for number in range(1, count + 1)]
            for role, count in (("play", PLAYERS), ("projector", PROJECTORS))
        )
        self.proxy = f"{HOST}:{next(ports)}"
        servers = {f"RPS_{one.name.upper().replace('-', '_')}": one.address for one in self.processes}
        command: list[str | Path] = ["haproxy", "-f", OPS / "haproxy.cfg", "-db"]
        self._proxy = Program("haproxy", command, folder, environment={"RPS_PROXY": self.proxy, **servers})

    @property
    def processes(self) -> list[Process]:
        """All processes of the service."""
        return [*self.players, *self.projectors]

    @property
    def url(self) -> str:
        """The one origin."""
        return f"http://{self.proxy}"

    def start_outside(self) -> None:
        """Registry and model store."""
        self._storage.start()
        self._gateway.start()
        self._mlflow.start()

    def start(self) -> None:
        """The first models, then all processes."""
        self.run("rps", "setup", "--games", str(SETUP_GAMES))
        for process in self.processes:
            process.start()
        self._proxy.start()
        for process in self.processes:
            process.wait()
        wait_for("the proxy", lambda: get(f"{self.url}/policies") and get(f"{self.url}/readyz"))

    def run(self, command: str, *arguments: str) -> str:
        """What a command of ours prints. Raises CalledProcessError."""
        environment = {**os.environ, **self.environment, "RPS_DATA_DIR": str(self._folder / "projector-1")}
        done = subprocess.run(
            [RPS.with_name(command), *arguments], env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return str(done.stdout)

    def audit(self) -> str:
        """What a full audit says. Raises CalledProcessError where it finds something."""
        database = ("--database", self.environment["RPS_DATABASE_URL"])
        credentials = self._folder / "s3.credentials"
        access = self._gateway.access
        credentials.write_text(
            f"[default]\naws_access_key_id = {access.access_key}\naws_secret_access_key = {access.secret_key}\n"
        )
        archive = (
            *("--archive", self.environment["RPS_MODEL_STORE_URL"]),
            *("--archive-endpoint", self._gateway.endpoint),
            *("--archive-credentials", str(credentials)),
        )
        key = ("--key", str(self._folder / "seal.key.pub"))
        verified = self.run("rps-audit", *database, "verify", *key, *archive)
        return verified + "".join(
            self.run("rps-audit", *database, command) for command in ("compare", "decisions")
        )

    def endings(self) -> list[str]:
        """How each process has ended that nothing has killed."""
        for process in self.processes:
            with suppress(NotStartedError):
                process.check()
        return [ending for process in self.processes for ending in dict.fromkeys(process.endings)]

    def kill(self) -> None:
        for program in (*self.processes, self._proxy):
            program.kill()
        self._mlflow.stop()
        self._gateway.stop()
        self._storage.stop()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
