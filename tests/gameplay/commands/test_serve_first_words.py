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
    made, heading, *tried = first_words(Settings(data_dir=tmp_path), "http://127.0.0.1:8080")

    assert str(tmp_path) in made
    assert (heading, len(tried)) == ("Four things to try:", 4)
    assert "http://127.0.0.1:8080/play" in tried[0]
    assert ("simulate",) in RPS
    assert ("promote",) in RPS
    assert ("decisions",) in RPS_AUDIT
    options = {option for parameter in RPS[("simulate",)].params for option in parameter.opts}
    assert {"--user", "--policy", "--games"} <= options
    assert shlex.split(tried[3])[:3] == ["rps-audit", "--database", f"sqlite:///{tmp_path / 'ledger.db'}"]


def test_a_set_up_that_was_killed_keeps_no_start_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path)
    core = open_core(settings, registry=FakeRegistry())
    assert Leases(core.engine).take("set-up", 3_600)
    core.close()
    begun: list[object] = []
    monkeypatch.setattr(serve, "set_up", lambda core, _track: begun.append(core))  # which takes a minute

    assert serve._set_up_once(settings)
    assert len(begun) == 1
