import shlex
from pathlib import Path

import pytest

from gameplay.commands import serve
from gameplay.commands.serve import first_words
from gameplay.config import Settings
from gameplay.core import open_core
from gameplay.serving.leases import Leases
from tests.command_lines import RPS, RPS_AUDIT
from tests.gameplay.fakes import FakeRegistry


def test_a_first_start_says_what_it_made_and_four_commands_that_there_are(tmp_path: Path) -> None:
    made, heading, *lines = first_words(Settings(data_dir=tmp_path), "http://127.0.0.1:8080")
    what, tried = lines[::2], [line.strip() for line in lines[1::2]]

    assert str(tmp_path) in made
    assert (heading, len(what), len(tried)) == ("Four things to try:", 4, 4)
    assert tried[0] == "http://127.0.0.1:8080/play"
    assert ("simulate",) in RPS
    assert ("promote",) in RPS
    assert ("decisions",) in RPS_AUDIT
    options = {option for parameter in RPS[("simulate",)].params for option in parameter.opts}
    assert {"--user", "--policy", "--games"} <= options
    assert shlex.split(tried[3])[:3] == ["rps-audit", "--database", f"sqlite:///{tmp_path / 'ledger.db'}"]


def test_what_to_type_stands_alone_on_its_line_however_long_a_path_is(tmp_path: Path) -> None:
    folder = tmp_path / ("a_folder_with_a_long_name_" * 5)
    _, _, *lines = first_words(Settings(data_dir=folder), "http://127.0.0.1:8080")

    assert all(line.endswith(":") and len(line) <= 80 for line in lines[::2])
    assert all(len(line) <= 80 for line in lines[1::2] if str(folder) not in line)
    assert shlex.split(lines[-1]) == ["rps-audit", "--database", f"sqlite:///{folder / 'ledger.db'}", "decisions"]


def test_a_set_up_that_was_killed_keeps_no_start_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path)
    core = open_core(settings, registry=FakeRegistry())
    assert Leases(core.engine).take("set-up", serve.SETUP_SECONDS_MAX)
    core.close()
    begun: list[object] = []
    monkeypatch.setattr(serve, "set_up", lambda core, _track: begun.append(core))  # which takes a minute

    assert serve._set_up_once(settings)
    assert len(begun) == 1
