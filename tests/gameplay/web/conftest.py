import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from tests.gameplay.faults import registry_with_versions
from tests.gameplay.web_clients import serving


@pytest.fixture(scope="module")
def shared(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One service for all tests of a file: for those that change nothing, or say that nothing has changed."""
    folder = shutil.copytree(prepared, tmp_path_factory.mktemp("shared") / "data")
    with serving(Settings(data_dir=folder, promotion_schedule=None), registry_with_versions()) as client:
        yield client
