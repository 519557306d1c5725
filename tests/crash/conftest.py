import shutil
from pathlib import Path

import pytest


@pytest.fixture
def data_dir(trained: Path, tmp_path: Path) -> Path:
    """The test's own copy of a folder with models and a registry."""
    return shutil.copytree(trained, tmp_path / "data")
