import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gameplay.cli import rps
from ledger.engines.database import open_engine
from ledger.upgrade import upgrade

URL = "sqlite:///{}/ledger.db"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a ledger that nothing has been recorded in."""
    engine = open_engine(URL.format(tmp_path))
    upgrade(engine)
    engine.dispose()
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(rps, ["cross-family", *arguments], env={"RPS_DATA_DIR": str(folder)})


def shown(folder: Path, *arguments: str) -> dict[str, object]:
    result = run(folder, *arguments, "--json")
    assert result.exit_code == 0, result.output
    record: dict[str, object] = json.loads(result.stdout)
    return record


def test_nothing_is_tracked_before_it_is_set(folder: Path) -> None:
    nothing = {"share": 0.0, "players": ["human", "bot", "script"]}

    assert shown(folder) == {**nothing, "environment": nothing, "settings": []}


def test_what_holds_is_shown_beside_what_the_environment_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RPS_CROSS_FAMILY_SHARE", "0.75")
    monkeypatch.setenv("RPS_CROSS_FAMILY_FOR", "script human")

    now = shown(folder, "--share", "0.5")

    assert (now["share"], now["players"]) == (0.5, ["human", "bot", "script"])
    assert now["environment"] == {"share": 0.75, "players": ["human", "script"]}
    assert "RPS_CROSS_FAMILY_SHARE is 0.75, RPS_CROSS_FAMILY_FOR is human script" in run(folder).stdout


def test_a_share_is_set_and_shown_with_who_and_why(folder: Path) -> None:
    shown(folder, "--share", "0.1", "--players", "human", "--reason", "a look", "--actor", "ada")
    now = shown(folder, "--share", "0.5", "--reason", "a longer one", "--actor", "bea")

    assert (now["share"], now["players"]) == (0.5, ["human"]), "the players stay as they were"
    settings = now["settings"]
    assert isinstance(settings, list)
    assert [(one["share"], one["actor"], one["reason"]) for one in settings] == [
        (0.1, "ada", "a look"),
        (0.5, "bea", "a longer one"),
    ]
    table = run(folder).stdout
    assert "share of 0.5 of the games of human" in table
    assert "a longer one" in table


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--share", "1.5"), "between 0 and 1"),
        (("--share", "lots"), "lots"),
        (("--players", "human"), "--players comes with --share"),
        (("--share", "0.1", "--reason", " "), "the reason is empty"),
        (("--share", "0.1", "--actor", "a\nb"), "in one line"),
    ],
)
def test_what_cannot_be_set_is_refused_and_nothing_is_written(
    folder: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = run(folder, *arguments)

    assert result.exit_code == 2
    assert words in result.output
    assert shown(folder)["settings"] == []


def test_a_mistyped_folder_is_no_new_ledger(tmp_path: Path) -> None:
    result = run(tmp_path / "nowhere", "--share", "0.1")

    assert result.exit_code == 2
    assert not (tmp_path / "nowhere").exists()
