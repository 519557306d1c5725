import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gameplay.cli import COMMANDS, main, rps
from gameplay.config import Settings
from gameplay.game.players import naming
from gameplay.serving.folder_locks import serving
from gameplay.serving.listening import listen
from ledger.engines.database import open_engine, transaction
from ledger.schema import events
from ledger.store import Ledger
from ledger.upgrade import REVISION, upgrade
from ledger.vocabulary import FAMILIES
from projections.commands.console import EXIT_FINDING
from projections.commands.program import EXIT_PROBLEM
from projections.decision.cycle import plan
from tests.builders import assignment, game_finished, game_started
from tests.command_lines import RPS

Run = Callable[..., Result]


@pytest.fixture
def run(data_dir: Path) -> Run:
    """Runs a command over the prepared folder, as a shell would."""

    def invoke(*words: str, **environment: str) -> Result:
        return CliRunner().invoke(rps, words, env={"RPS_DATA_DIR": str(data_dir), **environment})

    return invoke


@pytest.fixture
def problem(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """What a command that fails says: one line, after whatever progress it showed."""

    def invoke(*words: str, **environment: str) -> str:
        monkeypatch.setattr(sys, "argv", ["rps", *words])
        for name, value in {"RPS_DATA_DIR": str(data_dir), **environment}.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as exit_:
            main()
        assert exit_.value.code == EXIT_PROBLEM == 2
        said = capsys.readouterr()
        assert said.out == ""
        *progress, line = said.err.splitlines()
        assert line.startswith("rps: ")
        assert not any("rps:" in earlier or "Traceback" in earlier for earlier in progress)
        return line

    return invoke


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    engine = open_engine(settings.database_url)
    yield Ledger(engine)
    engine.dispose()


@pytest.mark.parametrize("words", RPS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(rps, [*words, "--help"])

    assert result.exit_code == 0
    example = [line for line in result.output.splitlines() if "Example:" in line]
    assert example, result.output
    assert f"rps {' '.join(words)}" in example[0]


def test_the_command_lists_its_commands() -> None:
    for words in ([], ["-h"], ["--help"]):
        result = CliRunner().invoke(rps, words)
        assert all(name in result.output for name in ("serve", "setup", "migrate", "simulate", "promote"))
    assert "version" in CliRunner().invoke(rps, ["--version"]).output


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Each file below the folder, with its bytes and the time of its last change; of a folder the time alone."""
    return {
        str(path.relative_to(folder)): (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
        for path in (folder, *sorted(folder.rglob("*")))
    }


@pytest.mark.parametrize(
    "words",
    [("promote", "--dry-run"), ("promotion", "cycle", "--dry-run"), ("promotion", "status"), ("models",)],
    ids=" ".join,
)
def test_what_only_looks_leaves_the_data_folder_as_it_is(run: Run, data_dir: Path, words: tuple[str, ...]) -> None:
    before = contents(data_dir)

    result = run(*words)

    assert result.exit_code == 0, result.output
    assert contents(data_dir) == before


@pytest.mark.parametrize("words", [("promote", "--dry-run"), ("models",)], ids=" ".join)
def test_what_only_looks_migrates_nothing(run: Run, data_dir: Path, words: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(data_dir / "ledger.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    before = contents(data_dir)

    result = run(*words)

    assert result.exit_code == EXIT_PROBLEM
    assert "run `rps migrate`" in result.stderr
    assert contents(data_dir) == before


def test_a_dry_run_prints_a_decision_for_each_family_and_writes_nothing(run: Run, ledger: Ledger) -> None:
    head = ledger.head()

    result = run("promote", "--dry-run", "--json")

    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["model_type"] for row in rows] == list(FAMILIES)
    for row in rows:
        assert row["decision"] == "insufficient_data"
        assert row["reason"].startswith("Production has 0 and B 0 games")
        assert row.keys() >= {"reorder", "z_statistic", "p_value"}
        assert (row["applied"], row["problem"]) == (None, None)
    assert ledger.head() == head


def with_a_plan_to_a_lost_version(ledger: Ledger) -> None:
    """Leave the family xgboost with an open plan to a version that no registry has."""
    version = ledger.version("promotion-xgboost")
    planned = plan("manual", "xgboost", assignment(), assignment((1, 2, 3, 77)))
    ledger.append("promotion-xgboost", [planned], version)


def test_a_plan_that_cannot_be_completed_hides_no_other_family(run: Run, ledger: Ledger) -> None:
    with_a_plan_to_a_lost_version(ledger)

    result = run("promote", "--json")

    assert result.exit_code == EXIT_FINDING == 1
    rows = {row["model_type"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert rows["xgboost"]["decision"] is None
    assert "stays open: " in rows["xgboost"]["problem"]
    assert [rows[family]["decision"] for family in FAMILIES if family != "xgboost"] == ["insufficient_data"] * 2


def test_a_plan_that_cannot_be_completed_can_be_cancelled(run: Run, ledger: Ledger) -> None:
    with_a_plan_to_a_lost_version(ledger)

    said = run("promotion", "cancel", "--model-type", "xgboost")
    again = run("promotion", "cancel", "--model-type", "xgboost", "--json")

    assert (said.exit_code, again.exit_code) == (0, 0)
    assert "is cancelled; the aliases stay Production v1, B v2, shadow1 v3, shadow2 v4" in said.output
    assert json.loads(again.stdout) == {"model_type": "xgboost", "cancelled": None}
    assert run("promote", "--model-type", "xgboost").exit_code == 0


def test_a_plan_is_cancelled_for_a_family_that_is_named(run: Run) -> None:
    result = run("promotion", "cancel")

    assert result.exit_code == 2
    assert "--model-type FAMILY" in result.output


def test_a_name_is_erased_and_the_games_stay(run: Run, ledger: Ledger) -> None:
    with transaction(ledger.engine, write=[events]) as connection:
        connection.execute(*naming("p-1", "Ada [bold]"))
    head = ledger.head()

    erased = run("erase", "Ada [bold]")

    assert (erased.exit_code, erased.output) == (0, "p-1 has no name any more\n")
    assert run("erase", "Ada [bold]").exit_code == EXIT_FINDING
    assert ledger.head() == head


@pytest.mark.parametrize(
    ("former", "words"),
    [
        (("forget", "Ada"), ("erase", "Ada")),
        (("promote", "--withdraw", "--model-type", "xgboost"), ("promotion", "cancel", "--model-type", "xgboost")),
        (("promote", "--dry-run", "--family", "xgboost"), ("promote", "--dry-run", "--model-type", "xgboost")),
        (("train", "--family", "xgboost"), ("train", "--model-type", "xgboost")),
    ],
)  # fmt: skip
def test_a_former_name_is_taken_and_not_shown(run: Run, former: tuple[str, ...], words: tuple[str, ...]) -> None:
    before, now = run(*former), run(*words)

    assert (before.exit_code, before.output) == (now.exit_code, now.output)
    helps = run("--help").output + run(words[0], "--help").output
    assert all(f" {word} " not in helps for word in ("forget", "--withdraw", "--family"))


def test_the_list_of_commands_says_what_each_does_without_importing_it(run: Run) -> None:
    loaded = (
        "import sys, gameplay.cli; print([name for name in sys.modules if name.startswith('gameplay.commands.')])"
    )
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
    shown = " ".join(run("--help").output.split())
    assert [name for name, one in COMMANDS.items() if one.help and f"{name} {one.help}" not in shown] == []


def test_simulate_loads_no_server() -> None:
    """It speaks HTTP: what serves, trains and schedules has no part in it."""
    servers = "{'uvicorn', 'starlette', 'obstore', 'mlflow', 'gameplay.core', 'gameplay.serving'}"
    program = f"import sys, gameplay.commands.simulate; print(sorted(set(sys.modules) & {servers}))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_a_dry_run_of_a_swap_leaves_the_swap_to_be_made(run: Run, ledger: Ledger) -> None:
    for number in range(12):
        alias, version, winner = ("B", 2, "bot") if number % 2 else ("Production", 1, "user")
        labels = {
            "game_id": f"g{number}",
            "model_type": "xgboost",
            "policy": "forrest",
            "alias": alias,
            "model_version": version,
        }
        ledger.append(f"game-g{number}", [game_started(**labels), game_finished(**labels, winner=winner)], 0)
    head = ledger.head()

    result = run("promote", "--model-type", "xgboost", "--dry-run", "--json")

    row = json.loads(result.stdout)
    assert (row["decision"], row["applied"]) == ("swap_production_b", False)
    assert row["p_value"] < 0.2
    assert ledger.head() == head


def test_a_dry_run_for_people_is_a_table(run: Run) -> None:
    result = run("promote", "--dry-run", "--model-type", "xgboost", COLUMNS="200")

    assert result.exit_code == 0
    assert "xgboost" in result.output
    assert "insufficient_data" in result.output


@pytest.mark.parametrize(
    ("line", "said", "shown"), [("0 0 29 2 *", "-02-29T00:00:00Z", "-02-29"), ("off", None, "off")]
)
def test_the_status_says_when_the_next_cycle_comes(run: Run, line: str, said: str | None, shown: str) -> None:
    environment = {"RPS_PROMOTION_SCHEDULE": line, "COLUMNS": "200"}

    rows = [json.loads(row) for row in run("promotion", "status", "--json", **environment).stdout.splitlines()]
    table = run("promotion", "status", "--model-type", "xgboost", **environment).output

    assert [row["model_type"] for row in rows] == list(FAMILIES)
    assert all(row["next_cycle"] == said or row["next_cycle"].endswith(said) for row in rows)
    assert shown in table


def test_migrate_says_where_the_database_stands(run: Run) -> None:
    assert f"is at migration {REVISION}" in run("migrate").output.replace("\n", " ")


def test_a_setting_that_does_not_exist_is_one_line(problem: Callable[..., str]) -> None:
    assert "RPS_PROT is no setting" in problem("migrate", RPS_PROT="8080")


def test_a_setting_that_does_not_parse_is_one_line(problem: Callable[..., str]) -> None:
    assert "RPS_PORT='x' does not parse" in problem("serve", RPS_PORT="x")


def test_a_taken_port_is_one_line_before_anything_is_done(problem: Callable[..., str], tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]

        said = problem("serve", RPS_PORT=str(port), RPS_DATA_DIR=str(tmp_path / "new"))

    assert f"port {port} of 127.0.0.1 is taken" in said
    assert not (tmp_path / "new").exists()


def test_a_second_service_is_one_line(problem: Callable[..., str], data_dir: Path) -> None:
    with serving(data_dir, shared=False):
        assert f"process {os.getpid()} serves the ledger" in problem("serve", RPS_PORT="0")


def test_a_family_without_aliases_is_one_line(problem: Callable[..., str], tmp_path: Path) -> None:
    engine = open_engine(Settings(data_dir=tmp_path).database_url)
    upgrade(engine)
    engine.dispose()

    said = problem("promote", "--dry-run", RPS_DATA_DIR=str(tmp_path))

    assert "has no aliases yet" in said
    assert "rps setup" in said


def test_a_service_that_is_not_there_is_one_line(problem: Callable[..., str]) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = str(listening.getsockname()[1])

    assert f"no answer from http://127.0.0.1:{port}" in problem(
        "simulate", "--games", "1", "--json", RPS_PORT=port
    )


def test_a_database_that_is_none_is_one_line(problem: Callable[..., str], data_dir: Path) -> None:
    (data_dir / "ledger.db").write_bytes(b"this is no database, whatever its name says" * 100)

    assert "database" in problem("promote", "--dry-run")


def test_another_database_is_refused_without_its_password(problem: Callable[..., str]) -> None:
    said = problem("migrate", RPS_DATABASE_URL="mysql://rps:hush-hush@db/rps")

    assert "not supported" in said
    assert "hush-hush" not in said


@pytest.mark.parametrize(
    "words",
    [
        ("promote", "--model-type", "nobody"),
        ("simulate", "--user", "nobody"),
        ("simulate", "--policy", "nobody"),
        ("simulate", "--games", "0"),
        ("simulate", "--sleep", "-1"),
        ("setup", "--games", "3"),
        ("promote", "--wrong"),
        ("nothing",),
    ],
)
def test_a_wrong_option_is_refused_with_usage(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words)

    assert result.exit_code == 2
    assert "Usage: rps" in result.output


def test_a_mistyped_command_gets_a_suggestion_though_it_is_not_imported() -> None:
    result = CliRunner().invoke(rps, ["promte"])

    assert (result.exit_code, "Did you mean" in result.stderr, "promote" in result.stderr) == (2, True, True)
