import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from sqlalchemy import Engine

from gameplay.models.registry import MlflowRegistry
from ledger.engines import postgresql as postgresql_engine
from ledger.engines import sqlite as sqlite_engine
from ledger.engines.database import disposing, open_engine
from ledger.store import Ledger
from ledger.upgrade import upgrade
from projections.objects import Patience
from scripts.audit_ledger import write_ledger
from tests.lifecycle.trained import write_trained
from tests.mlflow_server import MlflowServer
from tests.patience import PATIENCE_SECONDS
from tests.postgresql import WHEEL, Server, require, serving
from tests.s3_server import S3Gateway, S3Storage

pytest_plugins = ["pytester", "tests.left_out", "tests.shares"]

# A deadline is an assertion about time, which a busy machine fails.
# And a draw is luck: every run has the same examples. `--hypothesis-profile exploring` has others each time.
settings.register_profile("patient", deadline=None, derandomize=True)
settings.register_profile("exploring", deadline=None)
# A mutant meets the same examples as every other, and one failure is enough.
settings.register_profile(
    "mutants", deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("patient")

# A shell starts a job in its background deaf to Ctrl-C, and every program that the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


SESSION_LIMITS = ("idle_in_transaction_session_timeout", "lock_timeout")
LONG_SECONDS_MAX = 3_600
"""For simulations, and for environments that are installed; of the other tests few have a limit of their own."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat a test that uses a database for each kind of database in its mark."""
    engines = metafunc.definition.get_closest_marker("engines")
    if engines is not None and "database" in metafunc.fixturenames:
        metafunc.parametrize("database", engines.args, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a browser or a PostgreSQL server, so that a run may leave it out."""
    for item in items:
        assert isinstance(item, pytest.Function)
        kind = item.callspec.params.get("database", "sqlite") if hasattr(item, "callspec") else "sqlite"
        if kind != "sqlite" or {"postgresql", "servers"} & set(item.fixturenames):
            item.add_marker("postgresql")
        if "browser" in item.fixturenames:
            item.add_marker("browser")
        if item.get_closest_marker("stats") or item.get_closest_marker("images"):
            item.add_marker(pytest.mark.timeout(LONG_SECONDS_MAX))


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example ledger's file, for reading; its key's public half lies beside it. Copy it to write."""
    return write_ledger(tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="session")
def s3_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Storage]:
    storage = S3Storage(tmp_path_factory.mktemp("s3"))
    with pytest.MonkeyPatch.context() as patched:
        # A service gives up after three seconds, for which a busy machine may stand still.
        patience = Patience(request_seconds=round(PATIENCE_SECONDS), connect_seconds=30, retries=1)
        patched.setattr("gameplay.models.store.PATIENCE", patience)
        try:
            storage.start()
            yield storage
        finally:
            storage.stop()


@pytest.fixture(scope="session")
def s3(s3_storage: S3Storage) -> Iterator[S3Gateway]:
    """A real S3 API, over HTTP, which stays up; a test that wants it down takes `own_s3`."""
    gateway = S3Gateway(s3_storage)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database with its tables and nothing in them, to be copied: to make one takes seconds."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowRegistry(f"sqlite:///{path}").aliases("xgboost")
    return path


@pytest.fixture(scope="session")
def mlflow_server(mlflow_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """An MLflow server, which stays up; a test has a registered model of its own there."""
    folder = tmp_path_factory.mktemp("mlflow-server")
    shutil.copy(mlflow_database, folder)
    server = MlflowServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def own_s3(s3_storage: S3Storage) -> Iterator[S3Gateway]:
    """A gateway of the test's own to the same objects; it may be stopped and started at will."""
    gateway = S3Gateway(s3_storage)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """The engine of a new database with every table."""
    with disposing(open_engine(database)) as engine:
        yield engine


@pytest.fixture(scope="session", autouse=True)
def limits_as_shipped() -> Iterator[dict[str, str]]:
    """The limits of a session on PostgreSQL, which no test has unless it asks for them.

    A machine that stands still for seconds would end a session in the middle of any test.
    """
    as_shipped = {name: postgresql_engine.SETTINGS[name] for name in SESSION_LIMITS}
    with pytest.MonkeyPatch.context() as patched:
        for name in SESSION_LIMITS:
            patched.setitem(postgresql_engine.SETTINGS, name, f"{round(PATIENCE_SECONDS)}s")
        patched.setitem(postgresql_engine.ADDRESS, "connect_timeout", round(PATIENCE_SECONDS))
        patched.setitem(postgresql_engine.ADDRESS, "tcp_user_timeout", round(PATIENCE_SECONDS) * 1_000)
        patched.setattr(postgresql_engine, "ANSWER_SECONDS_MAX", PATIENCE_SECONDS)
        for engine in (postgresql_engine, sqlite_engine):
            patched.setattr(engine, "CONNECTION_SECONDS_MAX", PATIENCE_SECONDS)
        yield as_shipped


@pytest.fixture
def hurried(limits_as_shipped: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test of a session's limits: they are as shipped."""
    for name, limit in limits_as_shipped.items():
        monkeypatch.setitem(postgresql_engine.SETTINGS, name, limit)


class Servers:
    """The PostgreSQL servers of the session, each started when a test first asks for it."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self._servers: dict[str, Server] = {}

    def __getitem__(self, name: str) -> Server:
        if name not in self._servers:
            self._servers[name] = self._running.enter_context(serving(require(name)))
        return self._servers[name]

    def close(self) -> None:
        self._running.close()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


@pytest.fixture(scope="session")
def postgresql(servers: Servers) -> Server:
    """A PostgreSQL server for tests that are about it."""
    return servers[WHEEL]


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with every table and no event; of each kind in turn where a mark says so."""
    kind = getattr(request, "param", "sqlite")
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path / 'ledger.db'}"
        with disposing(open_engine(url)) as made:
            upgrade(made)
        yield url
        return
    with request.getfixturevalue("servers")[kind].ledger() as name:
        yield name


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return Ledger(engine)


@pytest.fixture(scope="session")
def trained(mlflow_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as `rps setup` leaves it, with smaller models."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copy(mlflow_database, folder)
    return write_trained(folder)
