"""What the libraries do by themselves: nothing in the home folder, and no address looked up or connected to."""

import os
import subprocess
import sys
from pathlib import Path

from gameplay.telemetry import OPT_OUTS

ROOT = Path(__file__).parents[2]

# What a library takes for a test or a build server, where it would keep still by itself.
QUIET_PLACES = ("CI", "PYTEST_CURRENT_TEST", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "BUILDKITE")

# A graph as it serves, and a registry that is asked: the one address is its own.
PROGRAM = """
import sys
asked = []
sys.addaudithook(lambda event, args: asked.append(args[0]) if event == "socket.getaddrinfo" else None)
from gameplay.models.errors import RegistryUnavailable
from gameplay.models.graph import Graph
from gameplay.models.registry import MlflowRegistry
from tests.gameplay.graphs import constant_graph
Graph(constant_graph((1, 0, 0)))
try:
    MlflowRegistry("http://127.0.0.1:1").aliases("xgboost")
except RegistryUnavailable:
    assert set(asked) == {"127.0.0.1"}, asked
"""


def test_nothing_is_written_to_the_home_folder_and_no_address_is_asked_for(tmp_path: Path) -> None:
    unset = {*QUIET_PLACES, *OPT_OUTS, "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}

    command = [sys.executable, "-c", PROGRAM]
    subprocess.run(command, cwd=ROOT, env={**environment, "HOME": str(tmp_path)}, check=True)

    assert list(tmp_path.rglob("*")) == []
