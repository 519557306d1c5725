"""`rps dashboard`: writing, checking, and taking over what people have edited."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gameplay.commands.dashboard import dashboard
from gameplay.observability.dashboard.document import generated_dashboard
from gameplay.observability.dashboard.history_targets import INFINITY, JSON_API, SIMPOD
from gameplay.observability.dashboard.parts import panels
from gameplay.observability.dashboard.variants import translated
from gameplay.observability.folder import write
from gameplay.observability.provisioning.files import COMPACT, DIGEST, PRETTY
from tests.gameplay.observability.newer_form import newer, resource

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
    """A copy of the dashboard as Grafana exports it, with one panel renamed."""
    path = folder / "exported.json"
    path.write_text(json.dumps(edited(title)))
    return path


def edited(title: str = "Ranks") -> dict[str, Any]:
    changed: dict[str, Any] = generated_dashboard() | {"uid": "copy", "id": 9, "version": 3}
    next(panel for panel in panels(changed) if panel["id"] == 221)["title"] = title
    return changed


def test_what_was_written_passes_the_check(ops: Path) -> None:
    assert call(ops, "--check").exit_code == 0
    assert "as it should be" in call(ops).output


@pytest.mark.parametrize(
    "path", [PRETTY, COMPACT, "prometheus-rules.yml", "grafana/provisioning/alerting/rps.yaml"]
)
def test_a_changed_file_fails_the_check(ops: Path, path: str) -> None:
    changed = (ops / path).read_text() + "\n"
    (ops / path).write_text(changed)

    result = call(ops, "--check")

    assert result.exit_code == 1
    assert f"{path} differs" in result.output
    assert (ops / path).read_text() == changed


def test_a_missing_file_fails_the_check_and_is_written_again(ops: Path) -> None:
    (ops / COMPACT).unlink()

    assert f"{COMPACT} is missing" in call(ops, "--check").output
    assert call(ops).output == f"wrote {ops / COMPACT}\n"
    assert call(ops, "--check").exit_code == 0


def test_a_diff_says_what_was_changed(ops: Path, tmp_path: Path) -> None:
    result = call(ops, "diff", str(exported(tmp_path)))

    assert result.output == "panel 221 (Alias Rank Timeline): title: 'Alias Rank Timeline' -> 'Ranks'\n"


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


def replaced(ops: Path, text: str | None = None, path: str = PRETTY) -> str:
    """An edited export in the place of the dashboard; its text."""
    text = text or json.dumps(edited())
    (ops / path).write_text(text)
    return text


@pytest.mark.parametrize("path", [PRETTY, COMPACT])
@pytest.mark.parametrize("form", [lambda dashboard: dashboard, lambda dashboard: resource(newer(dashboard))])
def test_an_edited_dashboard_is_never_overwritten(
    ops: Path, path: str, form: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    text = replaced(ops, json.dumps(form(edited())), path)
    (ops / "prometheus-rules.yml").unlink()

    for arguments in ((), ("--check",), ()):
        result = call(ops, *arguments)
        assert result.exit_code == 1
        assert f"{ops / path} was edited" in result.output
        assert "panel 221 (Alias Rank Timeline): title: 'Alias Rank Timeline' -> 'Ranks'" in result.output
        assert f"rps dashboard --folder {ops} adopt {ops / path}" in result.output
        assert "--discard-adopted" in result.output
        assert (ops / path).read_text() == text
    assert not (ops / "prometheus-rules.yml").exists()


def test_an_edited_dashboard_is_kept_by_adopting_it_where_it_lies(ops: Path) -> None:
    replaced(ops)

    assert call(ops, "adopt", str(ops / PRETTY)).exit_code == 0

    assert call(ops, "--check").exit_code == 0
    assert '"Ranks"' in (ops / COMPACT).read_text()


def test_an_edited_dashboard_is_given_up_when_asked(ops: Path) -> None:
    replaced(ops)

    assert call(ops, "--discard-adopted").exit_code == 0

    assert json.loads((ops / PRETTY).read_text()) == generated_dashboard()
    assert call(ops, "--check").exit_code == 0


def test_an_edit_in_one_file_survives_that_another_is_adopted(ops: Path, tmp_path: Path) -> None:
    text = replaced(ops, json.dumps(edited("Order")))

    result = call(ops, "adopt", str(exported(tmp_path)))

    assert result.exit_code == 1
    assert "'Alias Rank Timeline' -> 'Order'" in result.output
    assert (ops / PRETTY).read_text() == text
    assert call(ops, "--discard-adopted", "adopt", str(exported(tmp_path))).exit_code == 0


def test_a_diff_beside_an_edited_dashboard_is_to_the_generated_one(ops: Path, tmp_path: Path) -> None:
    replaced(ops, json.dumps(edited("Order")))

    assert call(ops, "diff", str(exported(tmp_path))).output.endswith("-> 'Ranks'\n")


def test_an_adopted_dashboard_that_is_edited_again_stays(ops: Path, tmp_path: Path) -> None:
    call(ops, "adopt", str(exported(tmp_path)))
    again = json.loads((ops / PRETTY).read_text().replace('"Ranks"', '"Order"')) | {"id": 41, "version": 9}
    replaced(ops, json.dumps(again))

    assert call(ops, "--check").exit_code == 1
    assert call(ops).exit_code == 0

    stored = json.loads((ops / PRETTY).read_text())
    assert (stored["id"], "version" in stored) == (None, False)
    assert '"Order"' in (ops / PRETTY).read_text()
    assert '"Order"' in (ops / COMPACT).read_text()
    assert call(ops, "--check").exit_code == 0


def test_an_edit_of_the_compact_form_beside_an_adopted_dashboard_is_reported(ops: Path, tmp_path: Path) -> None:
    call(ops, "adopt", str(exported(tmp_path)))
    text = replaced(ops, json.dumps(edited("Order")), COMPACT)

    assert f"{ops / COMPACT} was edited" in call(ops).output
    assert (ops / COMPACT).read_text() == text


def test_a_dashboard_of_an_older_generator_is_written_again(ops: Path) -> None:
    older = generated_dashboard() | {"title": "What it was called before"}
    write(ops, older)

    assert "differs" in call(ops, "--check").output
    assert call(ops).exit_code == 0

    assert json.loads((ops / PRETTY).read_text()) == generated_dashboard()


def test_an_older_dashboard_whose_digest_is_lost_counts_as_edited(ops: Path) -> None:
    write(ops, generated_dashboard() | {"title": "What it was called before"})
    (ops / DIGEST).unlink()

    assert "was edited" in call(ops).output


@pytest.mark.parametrize("indent", [None, 1, 4])
def test_another_layout_of_the_text_is_no_edit(ops: Path, indent: int | None) -> None:
    replaced(ops, json.dumps(dict(reversed(generated_dashboard().items())), indent=indent))

    assert "was edited" not in call(ops, "--check").output
    assert call(ops).exit_code == 0


def test_what_grafana_adds_unasked_is_no_edit(ops: Path) -> None:
    replaced(ops, json.dumps(generated_dashboard() | {"id": 41, "version": 7, "liveNow": False}))

    assert call(ops).exit_code == 0


@pytest.mark.parametrize("value", [0, 1, "short", [1], {"a": 0}])
def test_every_chosen_value_is_an_edit(ops: Path, value: Any) -> None:
    chosen = generated_dashboard()
    next(panel for panel in panels(chosen) if panel["id"] == 222)["fieldConfig"]["defaults"]["max"] = value
    replaced(ops, json.dumps(chosen))

    assert "fieldConfig.defaults.max is new" in call(ops).output


def test_an_adopted_dashboard_is_linted(ops: Path, tmp_path: Path) -> None:
    call(ops, "adopt", str(exported(tmp_path)))
    spoiled = (ops / PRETTY).read_text().replace("rps_model_alias_rank", "rps_model_rank")
    (ops / PRETTY).write_text(spoiled)
    (ops / COMPACT).write_text(json.dumps(json.loads(spoiled), separators=(",", ":"), ensure_ascii=False) + "\n")

    for arguments in ((), ("--check",), ("diff", str(exported(tmp_path)))):
        result = call(ops, *arguments)
        assert result.exit_code == 1
        assert "there is no series rps_model_rank" in result.output
        assert "adopt it again" in result.output
        assert "to write the files again" not in result.output
    assert call(ops, "--discard-adopted").exit_code == 0


def test_an_adopted_dashboard_that_cannot_be_read_is_reported(ops: Path, tmp_path: Path) -> None:
    call(ops, "adopt", str(exported(tmp_path)))
    spoiled = json.loads((ops / PRETTY).read_text())
    spoiled["panels"][1]["targets"] = None
    spoiled["panels"][2]["id"] = "202"
    (ops / PRETTY).write_text(json.dumps(spoiled))

    result = call(ops, "--check")

    assert result.exit_code == 1
    assert "Expected `int | null`, got `str`" in result.output


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

    result = call(ops, "adopt", str(path))

    assert result.exit_code == 1
    assert "there is no series rps_model_rank" in result.output
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
        result = call(ops, command, str(path))
        assert result.exit_code == 1
        assert "exported.json" in result.output


def test_an_unreadable_dashboard_in_the_folder_is_reported(ops: Path) -> None:
    (ops / PRETTY).write_text("{")

    result = call(ops, "--check")

    assert result.exit_code == 1
    assert PRETTY in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("words", [[], ["adopt", "exported.json"]])
def test_nothing_is_written_where_no_checkout_is_and_no_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    (tmp_path / "exported.json").write_text(json.dumps(generated_dashboard()))
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(dashboard, words)

    assert (result.exit_code, "name the folder to write into by --folder" in result.output) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["exported.json"]
