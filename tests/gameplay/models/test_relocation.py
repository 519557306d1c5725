"""A real data folder of MLflow's, moved and copied. Making its database takes seconds, so the tests share it."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from gameplay.models.errors import RegistryUnavailable
from gameplay.models.registry import EXPERIMENT, MlflowRegistry
from tests.gameplay.graphs import trained


def registry_in(folder: Path, *, make: bool = True) -> MlflowRegistry:
    return MlflowRegistry(
        f"sqlite:///{folder / 'mlflow.db'}", artifact_location=(folder / "artifacts").as_uri(), make=make
    )


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one version."""
    folder = tmp_path_factory.mktemp("before") / "data"
    folder.mkdir()
    registry = registry_in(folder)
    registry.assign("xgboost", "Production", registry.register("xgboost", trained()).version)
    return folder


def files_in(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def test_a_copy_trains_into_its_own_folder(
    original: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = shutil.copytree(original, tmp_path / "a copy" / "data")
    before = files_in(original)

    landed = registry_in(copy).register("xgboost", trained((1, 0, 0)))

    assert "the data folder has moved" in caplog.text
    assert files_in(original) == before
    assert any(landed.run_id in path.parts for path in files_in(copy / "artifacts"))
    assert registry_in(copy).download("xgboost", landed.version).onnx == trained((1, 0, 0)).onnx
    assert str(original).encode() not in (copy / "mlflow.db").read_bytes().replace(str(copy).encode(), b"")


def test_a_moved_folder_serves_what_it_had_although_the_old_one_is_gone(original: Path, tmp_path: Path) -> None:
    gone = shutil.copytree(original, tmp_path / "gone")
    registry_in(gone).open()
    moved = shutil.move(gone, tmp_path / "moved")

    registry = registry_in(Path(moved))

    assert registry.aliases("xgboost") == {"Production": 1}
    assert registry.download("xgboost", 1).onnx == trained().onnx


def test_a_folder_that_stays_is_left_as_it_is(original: Path, caplog: pytest.LogCaptureFixture) -> None:
    registry_in(original).open()

    assert "moved" not in caplog.text


def test_a_look_alone_rewrites_nothing(original: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(original, tmp_path / "data")
    before = (copy / "mlflow.db").read_bytes()

    registry_in(copy, make=False).open()

    assert (copy / "mlflow.db").read_bytes() == before


def test_a_location_that_a_person_chose_stays(original: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(original, tmp_path / "data")
    elsewhere = (copy / "elsewhere").as_uri()
    registry = MlflowRegistry(f"sqlite:///{copy / 'mlflow.db'}", artifact_location=elsewhere)
    registry.open()

    found = MlflowClient(registry.tracking_uri).get_experiment_by_name(EXPERIMENT)

    assert found.artifact_location == (original / "artifacts").as_uri()


def test_a_file_that_is_no_database_is_the_registrys_failure(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 100)

    with pytest.raises(RegistryUnavailable):
        registry_in(tmp_path).open()
