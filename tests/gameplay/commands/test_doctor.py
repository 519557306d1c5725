import fcntl
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gameplay.cli import rps
from gameplay.config import VARIABLES
from gameplay.serving.folder_locks import SERVING
from ledger.engines.database import disposing, open_engine
from ledger.store import Ledger
from tests.builders import game_started


def doctor(folder: Path, **environment: str) -> tuple[int, dict[str, dict[str, Any]]]:
    env = {**dict.fromkeys(VARIABLES), "RPS_DATA_DIR": str(folder), "RPS_PORT": "0", **environment}
    result = CliRunner().invoke(rps, ["doctor", "--json"], env=env)
    assert result.exit_code in (0, 1), result.output
    found = json.loads(result.stdout)
    assert found["well"] is (result.exit_code == 0)
    return result.exit_code, {one["name"]: one for one in found["checks"]}


def test_all_is_well_where_it_is(data_dir: Path) -> None:
    files = sorted(data_dir.rglob("*"))
    status, found = doctor(data_dir)

    assert {name for name, one in found.items() if one["state"] == "wrong"} <= {"MLflow"}  # there is none here
    assert (found["versions"]["state"], found["chain"]["state"]) == ("ok", "ok")
    assert "twelve" in found["model store"]["found"] or "12 versions" in found["model store"]["found"]
    assert sorted(data_dir.rglob("*")) == files, "it changes nothing"
    assert status in (0, 1)


def test_a_folder_that_is_not_there_yet_is_fine(tmp_path: Path) -> None:
    status, found = doctor(tmp_path / "data")

    assert (status, found["folder"]["state"], found["ledger"]["state"]) == (0, "look", "look")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_a_port_that_is_taken_is_named(data_dir: Path, taken: int) -> None:
    status, found = doctor(data_dir, RPS_PORT=str(taken))

    assert (status, found["port"]["state"]) == (1, "wrong")
    assert "set RPS_PORT" in found["port"]["advice"]


def test_a_service_that_runs_is_no_stranger(data_dir: Path, taken: int) -> None:
    with (data_dir / SERVING).open("w") as file:
        file.write(f"{os.getpid()}\n")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_SH)
        _, found = doctor(data_dir, RPS_PORT=str(taken))

    assert found["port"]["state"] == "ok"
    assert f"process {os.getpid()} serves" in found["second process"]["found"]


def test_a_key_that_is_lost_is_named(data_dir: Path) -> None:
    doctor(data_dir)
    (data_dir / "seal.key.pub").write_text("anything")

    assert doctor(data_dir)[1]["seal key"]["state"] == "wrong"


def test_a_short_token_and_none_beyond_this_machine_are_named(data_dir: Path) -> None:
    assert doctor(data_dir, RPS_INTERNAL_TOKEN="short")[1]["token"]["state"] == "look"
    assert "RPS_INTERNAL_TOKEN" in doctor(data_dir, RPS_HOST="0.0.0.0")[1]["token"]["advice"]


def test_a_ledger_ahead_of_the_clock_and_a_broken_chain_are_named(data_dir: Path) -> None:
    with disposing(open_engine(f"sqlite:///{data_dir / 'ledger.db'}")) as engine:
        Ledger(engine, clock=lambda: 4_000_000_000.0).append("game-late", [game_started(game_id="late")], 0)
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER events_refuse_update")
            connection.exec_driver_sql("UPDATE events SET payload = x'7b7d' WHERE position = 5")
    status, found = doctor(data_dir)

    assert status == 1
    assert (found["clock"]["state"], found["chain"]["state"]) == ("wrong", "wrong")
    assert "position 5" in found["chain"]["found"]


def test_another_ledger_s_file_is_named(data_dir: Path) -> None:
    link = {"ledger_id": "another", "position": 1, "chain_hash": "0" * 64}
    (data_dir / "ledger.id").write_text(json.dumps(link))

    _, found = doctor(data_dir)
    assert (found["ledger"]["state"], "accept-ledger" in found["ledger"]["advice"]) == ("wrong", True)


def test_a_version_that_cannot_be_loaded_is_named(data_dir: Path) -> None:
    for graph in (data_dir / "models").rglob("*.onnx"):
        graph.write_bytes(b"no graph")

    _, found = doctor(data_dir)
    assert (found["versions"]["state"], "version 1 of" in found["versions"]["found"]) == ("wrong", True)


def test_a_store_out_of_reach_is_named(data_dir: Path) -> None:
    environment = {
        "RPS_MODEL_STORE_URL": "s3://bucket",
        "MINIO_ENDPOINT": "http://127.0.0.1:1",
        "MINIO_ACCESS_KEY": "ada",
        "MINIO_SECRET_KEY": "hush-hush",
    }
    _, found = doctor(data_dir, **environment)

    assert found["model store"]["state"] == "wrong"
    assert "hush" not in json.dumps(found)
