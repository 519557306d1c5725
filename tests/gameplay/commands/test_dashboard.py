"""`rps dashboard`: writing, checking, and taking over what people have edited."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gameplay.commands.dashboard import dashboard
from gameplay.observability.dashboard.document import generated_dashboard
from gameplay.observability.dashboard.history_targets import INFINITY, JSON_API, SIMPOD
from gameplay.observability.dashboard.parts import panels
from gameplay.observability.dashboard.variants import translated
from gameplay.observability.provisioning.files import COMPACT, PRETTY

# The last one is simPod's.
OF_THE_PLUGIN = (
    PRETTY,
    "grafana-dashboard.infinity.json",
    "grafana-dashboard.import.json",
    "grafana/provisioning/datasources/rps.yaml",
    "grafana-dashboard.simpod.json",
)


@pytest.fixture
def ops(tmp_path: Path) -> Path:
    folder = tmp_path / "ops"
    assert call(folder).exit_code == 0
    return folder


def call(ops: Path, *arguments: str) -> Result:
    return CliRunner().invoke(dashboard, ["--folder", str(ops), *arguments])


def exported(folder: Path, title: str = "Ranks") -> Path:
    """A copy of the dashboard as somebody exported it, with one panel renamed."""
    edited: dict[str, Any] = generated_dashboard() | {"uid": "copy", "id": 9, "version": 3}
    next(panel for panel in panels(edited) if panel["id"] == 221)["title"] = title
    path = folder / "exported.json"
    path.write_text(json.dumps(edited))
    return path


def test_what_was_written_passes_the_check(ops: Path) -> None:
    assert call(ops, "--check").exit_code == 0
    assert "as it should be" in call(ops).output


@pytest.mark.parametrize(
    "path", [PRETTY, COMPACT, "prometheus-rules.yml", "grafana/provisioning/alerting/rps.yaml"]
)
def test_a_changed_file_fails_the_check(ops: Path, path: str) -> None:
    changed = (ops / path).read_text() + "\n"
    (ops / path).write_text(changed)

    told = call(ops, "--check")

    assert told.exit_code == 1
    assert f"{path} differs" in told.output
    assert (ops / path).read_text() == changed


def test_a_missing_file_fails_the_check_and_is_written_again(ops: Path) -> None:
    (ops / COMPACT).unlink()

    assert f"{COMPACT} is missing" in call(ops, "--check").output
    assert call(ops).output == f"wrote {ops / COMPACT}\n"
    assert call(ops, "--check").exit_code == 0


def test_a_diff_says_what_was_changed(ops: Path, tmp_path: Path) -> None:
    told = call(ops, "diff", str(exported(tmp_path)))

    assert told.output == "panel 221 (Alias Rank Timeline): title: 'Alias Rank Timeline' -> 'Ranks'\n"


def test_an_adopted_dashboard_stays_and_its_variants_follow(ops: Path, tmp_path: Path) -> None:
    assert call(ops, "adopt", str(exported(tmp_path))).exit_code == 0

    assert call(ops, "--check").exit_code == 0
    assert "adopted" in call(ops).output
    for path in (PRETTY, COMPACT, "grafana-dashboard.infinity.json", "grafana-dashboard.import.json"):
        assert '"Ranks"' in (ops / path).read_text()
    assert (
        call(ops, "diff", str(exported(tmp_path))).output
        == "dashboard: tags: ['rps', 'promotion-ledger', 'adopted'] -> ['rps', 'promotion-ledger']\n"
    )


def test_an_adopted_dashboard_is_linted(ops: Path, tmp_path: Path) -> None:
    call(ops, "adopt", str(exported(tmp_path)))
    spoiled = (ops / PRETTY).read_text().replace("rps_model_alias_rank", "rps_model_rank")
    (ops / PRETTY).write_text(spoiled)
    (ops / COMPACT).write_text(json.dumps(json.loads(spoiled), separators=(",", ":"), ensure_ascii=False) + "\n")

    for arguments in ((), ("--check",), ("diff", str(exported(tmp_path)))):
        told = call(ops, *arguments)
        assert told.exit_code == 1
        assert "there is no series rps_model_rank" in told.output
        assert "adopt it again" in told.output
        assert "to write the files anew" not in told.output
    assert call(ops, "--discard-adopted").exit_code == 0


def test_an_adopted_dashboard_that_cannot_be_read_is_told(ops: Path, tmp_path: Path) -> None:
    call(ops, "adopt", str(exported(tmp_path)))
    spoiled = json.loads((ops / PRETTY).read_text())
    spoiled["panels"][1]["targets"] = None
    spoiled["panels"][2]["id"] = "202"
    (ops / PRETTY).write_text(json.dumps(spoiled))

    told = call(ops, "--check")

    assert told.exit_code == 1
    assert "Expected `int | null`, got `str`" in told.output


def test_a_dashboard_of_another_plugin_is_adopted_with_its_data_source(ops: Path, tmp_path: Path) -> None:
    path = tmp_path / "exported.json"
    path.write_text(json.dumps(translated(generated_dashboard(), INFINITY)))

    assert call(ops, "adopt", str(path)).exit_code == 0

    assert call(ops, "--check").exit_code == 0
    files = {name: (ops / name).read_text() for name in OF_THE_PLUGIN}
    assert [JSON_API in text for text in files.values()] == [False] * len(files)
    assert [INFINITY in text for text in files.values()] == [True, True, True, True, False]
    assert SIMPOD in files["grafana-dashboard.simpod.json"]


def test_a_dashboard_that_is_broken_is_not_adopted(ops: Path, tmp_path: Path) -> None:
    path = exported(tmp_path)
    path.write_text(path.read_text().replace("rps_model_alias_rank", "rps_model_rank"))

    told = call(ops, "adopt", str(path))

    assert told.exit_code == 1
    assert "there is no series rps_model_rank" in told.output
    assert call(ops, "--check").exit_code == 0


def test_the_generated_dashboard_comes_back_when_asked_for(ops: Path, tmp_path: Path) -> None:
    call(ops, "adopt", str(exported(tmp_path)))

    assert call(ops, "--discard-adopted").exit_code == 0

    assert json.loads((ops / PRETTY).read_text()) == generated_dashboard()


@pytest.mark.parametrize("text", ["{", "[]", '{"title": "no dashboard"}'])
def test_a_file_that_is_no_dashboard_is_refused(ops: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "exported.json"
    path.write_text(text)

    for command in ("diff", "adopt"):
        told = call(ops, command, str(path))
        assert told.exit_code == 1
        assert "exported.json" in told.output


def test_an_unreadable_dashboard_in_the_folder_is_told(ops: Path) -> None:
    (ops / PRETTY).write_text("{")

    told = call(ops, "--check")

    assert told.exit_code == 1
    assert PRETTY in told.output
    assert isinstance(told.exception, SystemExit)
