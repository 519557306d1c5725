"""The environments of the two images, made by the very commands of the Containerfile; `make images` runs this.

Without a container engine. The folders that the commands name are folders of the test; the image's user and its
read-only root are a process that may write nowhere else.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.ports import free_port
from tests.prometheus.processes import clean_environment, get, running, wait_for

ROOT = Path(__file__).parents[2]
MEGABYTES_MAX = {"serving": 400, "full": 1_200}
USER = 10_001

pytestmark = pytest.mark.images


def commands(stage: str) -> list[str]:
    """The RUN lines of a stage."""
    text = (ROOT / "Containerfile").read_text("utf-8")
    (part,) = re.findall(rf"^FROM \S+ AS {stage}$(.*?)(?=^FROM|\Z)", text, re.MULTILINE | re.DOTALL)
    return re.findall(r"^RUN ((?:.*\\\n)*.*)$", part, re.MULTILINE)


def health_check() -> list[str]:
    text = (ROOT / "Containerfile").read_text("utf-8")
    (found,) = re.findall(r"^    CMD (\[.*\])$", text, re.MULTILINE)
    command: list[str] = eval(found)
    return command


@pytest.fixture(params=["serving", "full"])
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The name of an image, and its /opt/rps."""
    folder = tmp_path_factory.mktemp(request.param)
    folder.parent.parent.chmod(0o755)
    for each in (folder, folder.parent):
        each.chmod(0o755)
    source, tools = folder / "source", folder / "bin"
    _send(source)
    tools.mkdir()
    (tools / "python").symlink_to(sys.executable)
    (tools / "pip").write_text(f'#!/bin/sh\nexec {sys.executable} -m pip "$@"\n')
    (tools / "pip").chmod(0o755)
    variables = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    for command in [*commands("build"), *commands(f"{request.param}-environment")]:
        here = command.replace("/opt/rps", str(folder / "rps")).replace("/wheels", str(folder / "wheels"))
        subprocess.run(["bash", "-euo", "pipefail", "-c", here], cwd=source, env=variables, check=True)
    return request.param, folder / "rps"


def _send(source: Path) -> None:
    """What an engine sends to the builder, by `.dockerignore`."""
    source.mkdir()
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        found = ROOT / line.removeprefix("!")
        if not line.startswith("!"):
            continue
        if found.is_dir():
            shutil.copytree(found, source / found.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(found, source)


def test_an_image_serves_for_a_user_without_rights(image: tuple[str, Path], trained: Path, tmp_path: Path) -> None:
    name, environment = image
    size = sum(path.stat().st_size for path in environment.rglob("*") if path.is_file()) / 1e6
    data, port = shutil.copytree(trained, tmp_path / "data"), free_port()
    for path in [data, *data.rglob("*")]:
        os.chown(path, USER, USER)
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    variables = clean_environment(
        HOME="/nonexistent",
        PATH=f"{environment}/bin:/usr/bin:/bin",
        PYTHONDONTWRITEBYTECODE="1",
        MPLCONFIGDIR="/tmp/matplotlib",
        RPS_DATA_DIR=str(data),
        RPS_LOG_FORMAT="json",
        RPS_PORT=str(port),
    )
    # The interpreter of a test may lie in a folder that is closed to others: this user may read everything.
    reading = "-all,+dac_read_search"
    as_user = [
        *("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"),
        *(f"--inh-caps={reading}", f"--ambient-caps={reading}"),
    ]

    with running([*as_user, f"{environment}/bin/rps", "serve"], tmp_path / "log", variables):
        wait_for("ready", lambda: get(f"http://127.0.0.1:{port}/readyz"), tmp_path / "log")
        python, *rest = health_check()
        healthy = subprocess.run([f"{environment}/bin/{python}", *rest], env=variables, check=False)

    assert healthy.returncode == 0
    assert size < MEGABYTES_MAX[name]
