"""PostgreSQL on three nodes under Patroni, with the configurations of `ops/cluster`."""

import json
import os
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from tests.failover.programs import HOST, USER, NotStartedError, Program, get, wait_for

OPS = Path(__file__).parents[2] / "ops" / "cluster"
NODES = 3
PASSWORD = "drill"
RUNNING = ("running", "streaming")
"""What Patroni says of a member that is well, before and since its third release."""


class Etcd:
    """Where Patroni keeps who is the primary."""

    def __init__(self, folder: Path, ports: Iterator[int]) -> None:
        self.address = f"{HOST}:{next(ports)}"
        peer = f"http://{HOST}:{next(ports)}"
        config: dict[str, Any] = yaml.safe_load((OPS / "etcd.yml").read_text())
        config |= {
            "data-dir": str(folder / "etcd"),
            "listen-client-urls": f"http://{self.address}",
            "advertise-client-urls": f"http://{self.address}",
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"{config['name']}={peer}",
            "unsafe-no-fsync": True,  # of no account here, and this disk is PostgreSQL's
        }
        path = folder / "etcd.yml"
        path.write_text(yaml.safe_dump(config))
        self._program = Program("etcd", ["etcd", "--config-file", path], folder)

    def start(self) -> None:
        self._program.start()
        wait_for("etcd", lambda: json.loads(get(f"http://{self.address}/health"))["health"] == "true")

    def kill(self) -> None:
        self._program.kill()


class Node:
    """One node: Patroni, and the PostgreSQL that it runs."""

    def __init__(self, name: str, folder: Path, etcd: Etcd, ports: Iterator[int]) -> None:
        self.name = name
        self.address = f"{HOST}:{next(ports)}"
        self.data = folder / name
        self._rest = f"{HOST}:{next(ports)}"
        config: dict[str, Any] = yaml.safe_load((OPS / "patroni.yml").read_text())
        config["name"] = name
        config["restapi"] = {"listen": self._rest, "connect_address": self._rest}
        config["etcd3"] = {"hosts": [etcd.address]}
        config["postgresql"] |= {
            "listen": self.address,
            "connect_address": self.address,
            "data_dir": str(self.data),
            "bin_dir": str(_binaries()),
            "pgpass": str(folder / f"{name}.pgpass"),
            "parameters": {"unix_socket_directories": str(folder)},
        }
        path = folder / f"{name}.yml"
        path.write_text(yaml.safe_dump(config))
        passwords = {f"PATRONI_{who}_PASSWORD": PASSWORD for who in ("SUPERUSER", "REPLICATION", "REWIND")}
        self._program = Program(name, ["patroni", path], folder, environment=passwords, user=USER)

    def start(self) -> None:
        self._program.start()

    def kill_postgres(self) -> None:
        """Kill -9 of the server: its first process, whose children end by themselves."""
        os.kill(int((self.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def kill(self) -> None:
        """Kill -9 of everything on the node."""
        self._program.kill()
        with suppress(FileNotFoundError, ProcessLookupError):
            self.kill_postgres()

    def members(self) -> list[dict[str, Any]]:
        """What this node knows of all."""
        return list(json.loads(get(f"http://{self._rest}/cluster"))["members"])

    def switch_over(self, other: str) -> None:
        """Have another node become the primary."""
        body = json.dumps({"leader": self.name, "candidate": other}).encode()
        request = urllib.request.Request(f"http://{self._rest}/switchover", data=body, method="POST")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30):
            pass


class Database:
    """The three nodes as one database."""

    def __init__(self, folder: Path, ports: Iterator[int]) -> None:
        self._etcd = Etcd(folder, ports)
        self.nodes = [Node(f"postgres-{number}", folder, self._etcd, ports) for number in range(1, NODES + 1)]

    @property
    def url(self) -> str:
        """As the service takes it: all nodes, of which the driver finds the primary."""
        hosts = "&".join(f"host={node.address}" for node in self.nodes)
        return f"postgresql+psycopg://postgres:{PASSWORD}@/rps?{hosts}&target_session_attrs=read-write"

    def start(self) -> None:
        """The first node from nothing, then its standbys, then the database."""
        self._etcd.start()
        self.nodes[0].start()
        wait_for("the first node", lambda: self.primary() is self.nodes[0])
        for node in self.nodes[1:]:
            node.start()
        self.settle()
        server = f"postgresql://postgres:{PASSWORD}@{self.primary().address}/postgres"
        make = "CREATE DATABASE rps ENCODING 'UTF8' TEMPLATE template0"
        subprocess.run([_binaries() / "psql", "-qXd", server, "-c", make], check=True)

    def primary(self) -> Node:
        """The node that takes writes. Raises OSError, NotStartedError while there is none."""
        return self._with_role("leader")

    def standby(self) -> Node:
        """The node that has what was acknowledged."""
        return self._with_role("sync_standby")

    def settle(self, seconds: float = 60.0) -> None:
        """Wait until all nodes are there and one has what is acknowledged."""
        wait_for("three nodes, one of them synchronous", self._is_whole, seconds)

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()
        self._etcd.kill()

    def _is_whole(self) -> bool:
        members = self._members()
        roles = sorted(member["role"] for member in members)
        well = all(member["state"] in RUNNING for member in members)
        one_timeline = len({member.get("timeline") for member in members}) == 1
        return roles == ["leader", "replica", "sync_standby"] and well and one_timeline

    def _with_role(self, role: str) -> Node:
        members = self._members()
        names = [one["name"] for one in members if one["role"] == role and one["state"] in RUNNING]
        for node in self.nodes:
            if node.name in names:
                return node
        raise ValueError(f"no node is {role}")

    def _members(self) -> list[dict[str, Any]]:
        for node in self.nodes:
            try:
                return node.members()
            except OSError:
                continue  # another one knows as well
        raise OSError("no node of PostgreSQL answers")


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    postgres = shutil.which("postgres")
    if not found and postgres is None:
        raise NotStartedError("PostgreSQL is not installed")
    return found[-1] if found else Path(str(postgres)).parent
