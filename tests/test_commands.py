"""What holds for every command of both programs, found by walking their groups."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from gameplay.cli import rps
from gameplay.config import VARIABLES
from projections.cli import rps_audit
from tests.command_lines import RPS, RPS_AUDIT, call

PROGRAMS: dict[str, click.Group] = {"rps": rps, "rps-audit": rps_audit}
ALL = {("rps", *words): one for words, one in RPS.items()} | {
    ("rps-audit", *words): one for words, one in RPS_AUDIT.items()
}
MAKE_A_LEDGER = {("rps", "serve"), ("rps", "setup"), ("rps", "migrate"), ("rps-audit", "import")}
NEED_NO_LEDGER = {
    ("rps", "config"),
    ("rps", "doctor"),
    ("rps", "models", "webhook"),
    ("rps", "simulate"),
    ("rps", "dashboard"),
    ("rps", "dashboard", "diff"),
    ("rps", "dashboard", "adopt"),
    ("rps-audit", "verify-proof"),
    ("rps-audit", "simulate-rules"),
}
READ_A_LEDGER = sorted(ALL.keys() - MAKE_A_LEDGER - NEED_NO_LEDGER)
PRINT_NO_TABLE = {("rps", "serve"), ("rps-audit", "export")}


def run(words: tuple[str, ...], *more: str, **environment: str) -> Result:
    unset = dict.fromkeys(VARIABLES)
    return CliRunner().invoke(PROGRAMS[words[0]], [*words[1:], *more], env={**unset, **environment})


@pytest.mark.parametrize("words", READ_A_LEDGER, ids=" ".join)
def test_a_command_says_that_there_is_no_ledger_and_makes_nothing(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = run((words[0], *call(words[1:], ALL[words])))

    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith(f"{words[0]}: no ledger at ")
    assert re.search(r"no ledger at (data/ledger|from)\.db|/data/ledger\.db", result.stderr)
    assert result.stderr.endswith(": set RPS_DATA_DIR or run `rps setup`\n")
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_works_whatever_the_environment_holds(words: tuple[str, ...]) -> None:
    result = run(words, "--help", RPS_NO_SUCH_SETTING="1", RPS_PORT="x", MINIO_ENDPOINT="\n")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"Usage: {' '.join(words)}")


@pytest.mark.parametrize("words", sorted(ALL.keys() - PRINT_NO_TABLE), ids=" ".join)
def test_a_command_that_prints_for_people_prints_for_programs(words: tuple[str, ...]) -> None:
    assert "--json" in {name for one in ALL[words].params for name in one.opts}


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_options_use_the_terms(words: tuple[str, ...]) -> None:
    shown = {name for one in ALL[words].params if not getattr(one, "hidden", False) for name in one.opts}

    assert shown.isdisjoint({"--model", "--family", "--witness", "--withdraw", "--lineup", "--moment"})


def test_config_says_where_each_setting_comes_from_in_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = run(("rps", "config"), "--json", RPS_PORT="9000", RPS_INTERNAL_TOKEN="hush-hush")

    assert result.exit_code == 0
    found = json.loads(result.stdout)
    settings = {one.pop("name"): one for one in found["settings"]}
    assert all(one.pop("help") for one in settings.values())
    assert found["addresses"]["metrics"] == "http://127.0.0.1:9000/metrics"
    assert settings.keys() == VARIABLES.keys()
    assert settings["RPS_PORT"] == {"value": 9000, "source": "environment"}
    assert settings["RPS_HOST"] == {"value": "127.0.0.1", "source": "default"}
    assert settings["RPS_INTERNAL_TOKEN"] == {"value": "***", "source": "environment"}
    assert settings["RPS_TRAIN_SCHEDULE"]["value"] == "off"
    assert [time[13:] for time in found["next_firings"]["promotion"]] in (
        [":00:00Z", ":30:00Z", ":00:00Z"],
        [":30:00Z", ":00:00Z", ":30:00Z"],
    )
    assert found["next_firings"]["training"] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_ends_with_an_example(words: tuple[str, ...]) -> None:
    text = ALL[words].help or ""

    assert any(paragraph.strip().startswith("Example:") for paragraph in text.split("\n\n")), text
    assert "Example: " + " ".join(words[:1]) in text or f" {words[0]} " in text.partition("Example: ")[2]


def groups(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Group]]:
    if isinstance(command, click.Group):
        yield words, command
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from groups(inner, (*words, name))


@pytest.mark.parametrize(
    "words", [words for name, program in PROGRAMS.items() for words, _ in groups(program, (name,))], ids=" ".join
)
def test_no_summary_in_a_list_of_commands_is_cut(words: tuple[str, ...]) -> None:
    result = run(words, "--help")

    assert "..." not in result.output.partition("Commands:")[2]
    assert "Commands:" in result.output


@pytest.mark.parametrize(("typed", "wanted"), [("rps pro", "promote"), ("rps-audit dec", "decisions")])
def test_a_shell_completes_commands(typed: str, wanted: str) -> None:
    program = typed.split()[0]
    variable = f"_{program.upper().replace('-', '_')}_COMPLETE"
    environment = {**os.environ, variable: "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": "1"}
    path = Path(sys.executable).with_name(program)
    done = subprocess.run([path], env=environment, capture_output=True, text=True, check=False)

    assert f"plain,{wanted}" in done.stdout.splitlines()
