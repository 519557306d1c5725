"""The deploy script, run against a server that plays Grafana."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gameplay.observability.dashboard.history_targets import INFINITY, JSON_API, PLUGINS
from gameplay.observability.site import DASHBOARD_UID
from tests.ops.grafana_server import Grafana, grafana
from tests.patience import PATIENCE_SECONDS
from tests.programs import require

ROOT = Path(__file__).parents[2]
KEY = "glsa_a1B2c3D4e5F6_0badcafe"
DASHBOARD = json.loads((ROOT / "ops" / "grafana-dashboard.json").read_text())


@pytest.fixture
def server() -> Iterator[Grafana]:
    with grafana(KEY) as running:
        yield running


@pytest.fixture
def ops(tmp_path: Path) -> Path:
    """The script and a dashboard beside it, away from the developer's own key file."""
    require("curl")
    folder = tmp_path / "ops"
    folder.mkdir()
    shutil.copy(ROOT / "ops" / "deploy_clean_dashboard.sh", folder)
    for dashboard in (ROOT / "ops").glob("grafana-dashboard*.json"):
        shutil.copy(dashboard, folder)
    return folder


def deploy(
    ops: Path, server: Grafana, *options: str, words: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    home = ops.parent / "home"
    home.mkdir(exist_ok=True)
    variables = {"PATH": os.environ["PATH"], "HOME": str(home), "GRAFANA_URL": server.url, **environment}
    command = ["bash", *options, str(ops / "deploy_clean_dashboard.sh"), *words]
    result = subprocess.run(
        command, env=variables, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    assert KEY not in result.stdout + result.stderr
    return result


def test_the_dashboard_is_put_in_place_of_the_one_before(ops: Path, server: Grafana) -> None:
    server.dashboards[DASHBOARD_UID] = {"title": "old"}

    result = deploy(ops, server, GRAFANA_API_KEY=KEY)

    assert (result.returncode, result.stdout) == (0, f"{DASHBOARD_UID}\n")
    assert server.dashboards[DASHBOARD_UID] == DASHBOARD
    assert server.requests[0]["overwrite"] is True
    assert server.requests[0]["dashboard"]["id"] is None
    assert f"{server.url}/d/{DASHBOARD_UID}/rps" in result.stderr


def test_a_folder_is_passed_on(ops: Path, server: Grafana) -> None:
    deploy(ops, server, GRAFANA_API_KEY=KEY, GRAFANA_FOLDER_UID="rps")

    assert server.requests[0]["folderUid"] == "rps"


def test_the_key_is_read_from_the_file_beside_the_script(ops: Path, server: Grafana) -> None:
    (ops / ".grafana_api_key").write_text(f"{KEY}\n")

    assert deploy(ops, server).returncode == 0


def test_the_key_is_read_from_the_home_folder(ops: Path, server: Grafana) -> None:
    path = ops.parent / "home" / ".config" / "rps" / "grafana_api_key"
    path.parent.mkdir(parents=True)
    path.write_text(f"  {KEY}\r\n")

    assert deploy(ops, server).returncode == 0


def test_the_variable_goes_before_the_files(ops: Path, server: Grafana) -> None:
    (ops / ".grafana_api_key").write_text("an-old-one")

    assert deploy(ops, server, GRAFANA_API_KEY=KEY).returncode == 0
    assert deploy(ops, server).returncode == 1


@pytest.mark.parametrize("white", ["\n", " \t\r\n"])
def test_a_place_with_nothing_but_white_space_holds_no_key(ops: Path, server: Grafana, white: str) -> None:
    (ops / ".grafana_api_key").write_text(white)
    path = ops.parent / "home" / ".config" / "rps" / "grafana_api_key"
    path.parent.mkdir(parents=True)
    path.write_text(KEY)

    assert deploy(ops, server).returncode == 0
    assert deploy(ops, server, GRAFANA_API_KEY=white).returncode == 0


@pytest.mark.parametrize("given", [f"{KEY}\r", f" {KEY} ", f"\n{KEY}\n"])
def test_white_space_around_the_variable_does_not_matter(ops: Path, server: Grafana, given: str) -> None:
    assert deploy(ops, server, GRAFANA_API_KEY=given).returncode == 0


def test_a_key_in_two_pieces_is_refused(ops: Path, server: Grafana) -> None:
    result = deploy(ops, server, GRAFANA_API_KEY=f"{KEY[:9]} {KEY[9:]}")

    assert (result.returncode, server.requests) == (2, [])


def test_without_a_key_it_says_where_one_may_be(ops: Path, server: Grafana) -> None:
    result = deploy(ops, server)

    assert result.returncode == 2
    assert "GRAFANA_API_KEY" in result.stderr
    assert ".config/rps/grafana_api_key" in result.stderr
    assert server.requests == []


def test_a_refused_key_asks_for_a_fresh_one(ops: Path, server: Grafana) -> None:
    server.key = "another"

    result = deploy(ops, server, GRAFANA_API_KEY=KEY)

    assert result.returncode == 1
    assert "make a fresh one" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        (400, "Cannot save provisioned dashboard", "Cannot save provisioned dashboard (400): Grafana takes this"),
        (400, "bad request data", "Grafana does not take the dashboard (400): bad request data\n"),
        (403, "You'll need additional permissions", "role Editor"),
        (412, "A dashboard with the same name already exists", "(412): A dashboard with the same name already"),
        (500, "out of space", "Grafana answered 500: out of space\n"),
        (500, 'no "RPS" in C:\\dashboards/new', 'answered 500: no "RPS" in C:\\dashboards/new\n'),
    ],
)
def test_a_refusal_is_explained(ops: Path, server: Grafana, status: int, message: str, said: str) -> None:
    server.refusal = (status, message)

    result = deploy(ops, server, GRAFANA_API_KEY=KEY)

    assert result.returncode == 1
    assert said in result.stderr


@pytest.mark.parametrize("status", [400, 412, 500])
def test_a_key_that_the_server_repeats_is_not_printed(ops: Path, server: Grafana, status: int) -> None:
    server.refusal = (status, f"token {KEY} of provisioned Bearer {KEY} is known")

    result = deploy(ops, server, GRAFANA_API_KEY=KEY)  # which looks for the key

    assert "token *** of provisioned Bearer *** is known" in result.stderr


def test_a_server_that_does_not_answer_is_explained(ops: Path, server: Grafana) -> None:
    result = deploy(ops, server, GRAFANA_API_KEY=KEY, GRAFANA_URL="http://127.0.0.1:1")

    assert result.returncode == 1
    assert "no answer from http://127.0.0.1:1" in result.stderr


def test_a_trace_does_not_show_the_key(ops: Path, server: Grafana) -> None:
    assert deploy(ops, server, "-x", GRAFANA_API_KEY=KEY).returncode == 0  # deploy() looks for the key


def test_a_key_that_would_change_the_request_is_refused(ops: Path, server: Grafana) -> None:
    result = deploy(ops, server, GRAFANA_API_KEY='x"\nurl = "http://127.0.0.1:1')

    assert result.returncode == 2
    assert server.requests == []


def test_another_dashboard_can_be_given(ops: Path, server: Grafana, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**DASHBOARD, "uid": "other"}, indent=2))
    command = ["bash", str(ops / "deploy_clean_dashboard.sh"), str(other)]
    environment = {"PATH": os.environ["PATH"], "GRAFANA_URL": server.url + "/", "GRAFANA_API_KEY": KEY}

    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert result.stdout == "other\n"


def test_the_key_files_are_ignored_by_git() -> None:
    assert "ops/.grafana_api_key" in (ROOT / ".gitignore").read_text().splitlines()


def plugins_of(dashboard: object) -> set[str]:
    return {plugin for plugin in PLUGINS if plugin in json.dumps(dashboard)}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_dashboard_is_that_of_the_plugin_that_grafana_has(ops: Path, server: Grafana, plugin: str) -> None:
    server.plugin = plugin

    result = deploy(ops, server, GRAFANA_API_KEY=KEY)

    assert (result.returncode, "cannot be seen" in result.stderr) == (0, False)
    assert plugins_of(server.dashboards[DASHBOARD_UID]) == {plugin}


@pytest.mark.parametrize("plugin", [None, "some-other-datasource"])
def test_a_source_that_cannot_be_seen_is_taken_for_json_api(
    ops: Path, server: Grafana, plugin: str | None
) -> None:
    server.plugin = plugin

    result = deploy(ops, server, GRAFANA_API_KEY=KEY)

    assert result.returncode == 0
    assert [line for line in result.stderr.splitlines() if "taking JSON API" in line and "--variant" in line]
    assert plugins_of(server.dashboards[DASHBOARD_UID]) == {JSON_API}


def test_a_variant_can_be_named(ops: Path, server: Grafana) -> None:
    server.plugin = JSON_API

    deploy(ops, server, words=("--variant", "infinity"), GRAFANA_API_KEY=KEY)

    assert plugins_of(server.dashboards[DASHBOARD_UID]) == {INFINITY}


@pytest.mark.parametrize("words", [("--variant", "xml"), ("--variant",)])
def test_a_variant_that_there_is_not_is_refused(ops: Path, server: Grafana, words: tuple[str, ...]) -> None:
    result = deploy(ops, server, words=words, GRAFANA_API_KEY=KEY)

    assert (result.returncode, "write json, infinity or simpod" in result.stderr) == (2, True)
    assert server.requests == []


def test_a_file_for_the_key_can_be_named(ops: Path, server: Grafana) -> None:
    (ops.parent / "secret").write_text(f"{KEY}\n")

    assert deploy(ops, server, GRAFANA_API_KEY_FILE=str(ops.parent / "secret")).returncode == 0
    missing = deploy(ops, server, GRAFANA_API_KEY_FILE=str(ops.parent / "none"))
    assert (missing.returncode, "GRAFANA_API_KEY_FILE" in missing.stderr) == (2, True)
