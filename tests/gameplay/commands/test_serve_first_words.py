import shlex
from pathlib import Path

from gameplay.commands.serve import first_words
from gameplay.config import Settings
from tests.command_lines import RPS, RPS_AUDIT


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
