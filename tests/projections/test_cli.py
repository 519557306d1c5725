import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from ledger.guards import SQLITE as TRIGGERS
from projections.audit.rebuild import READ_MODELS
from projections.cli import COMMANDS, rps_audit
from projections.commands import console
from projections.commands.console import show
from projections.commands.program import first_sentence
from scripts.audit_docs import PAGE, render, tamper
from scripts.audit_ledger import SIGNER
from tests.programs import require
from tests.projections.sabotage import writable_copy
from tests.projections.terminal import ask

READERS = {
    "status": [],
    "log": ["--limit", "3"],
    "show": ["1588"],
    "verify": [],
    "replay": ["--to", "1588"],
    "aliases": ["--at", "2025-11-05"],
    "compare": [],
    "diff": ["1587", "1592"],
    "decisions": [],
    "what-if": ["--alpha", "0.05"],
    "compare-versions": ["--model-type", "xgboost", "--versions", "1,2"],
}


@pytest.fixture
def copy(example: Path, tmp_path: Path) -> Iterator[Path]:
    """The example's file, for writing."""
    with writable_copy(example, tmp_path):
        yield tmp_path / "copy.db"


@pytest.fixture
def tampered(example: Path, tmp_path: Path) -> tuple[Path, int]:
    """A copy in which a game has another winner, and that game's position."""
    path = Path(shutil.copy(example, tmp_path / "tampered.db"))
    return path, tamper(path)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_text_with_an_example(command: str) -> None:
    result = CliRunner().invoke(rps_audit, [command, "--help"], prog_name="rps-audit")

    assert result.exit_code == 0
    assert f"Example: rps-audit {command}" in result.output or "Example: rps-audit --database" in result.output
    assert "\\b" not in result.output


def test_the_list_of_commands_says_what_each_does_without_importing_it() -> None:
    loaded = (
        "import sys, projections.cli;"
        "print([name for name in sys.modules if name in ('sqlalchemy', 'projections.commands.proving')])"
    )
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
    shown = " ".join(CliRunner().invoke(rps_audit, ["--help"]).output.split())
    assert [name for name, one in COMMANDS.items() if f"{name} {one.help}" not in shown] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_says_what_their_own_helps_say(command: str) -> None:
    found = rps_audit.get_command(click.Context(rps_audit), command)

    assert found is not None
    assert COMMANDS[command].help == first_sentence(found.help or "")


@pytest.mark.parametrize("command", READERS)
def test_a_command_that_reads_says_so_for_people_and_for_machines(example: Path, command: str) -> None:
    arguments = READERS[command]
    before = example.read_bytes()

    shown, as_json = ask(example, command, *arguments), ask(example, command, *arguments, "--json")

    assert (shown.status, as_json.status) == (0, 0)
    assert shown.output
    assert all(json.loads(line) for line in as_json.output.splitlines())
    assert example.read_bytes() == before


@pytest.mark.parametrize("command", READERS)
def test_a_number_in_a_table_is_a_number_for_machines(
    example: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: set[float] = set()

    def note(value: object) -> str:
        if isinstance(value, int | float) and not isinstance(value, bool):
            shown.add(round(float(value), 9))
        return show(value)

    monkeypatch.setattr(console, "show", note)
    ask(example, command, *READERS[command])
    monkeypatch.undo()
    lines = ask(example, command, *READERS[command], "--json").output.splitlines()

    assert shown <= {round(number, 9) for line in lines for number in numbers_in(json.loads(line))}


def numbers_in(value: object) -> Iterator[float]:
    match value:
        case bool():
            pass
        case int() | float():
            yield float(value)
        case dict():
            for name, one in value.items():
                yield from numbers_in(one)
                yield from numbers_in(int(name)) if name.isdigit() else ()
        case list():
            for one in value:
                yield from numbers_in(one)


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "0"],
        ["show", "99999"],
        ["export", "/nowhere/at/all"],
        ["aliases", "--at", "2020-01-01"],
        ["aliases", "--at", "99999"],
        ["aliases", "--at", "once"],
        ["replay", "--until", "2020-01-01"],
        ["replay", "--until", "noon"],
        ["replay", "--to", "99999"],
        ["diff", "1", "99999"],
        ["log", "--since", "then"],
        ["verify", "--from", "99999"],
        ["verify", "--key", "/nowhere"],
        ["verify", "--archive", "/nowhere"],
        ["verify", "--archive", "s3://bucket"],
        ["prove", "99999"],
        ["verify-proof", "/nowhere", "--key", "/nowhere"],
        ["verify-proof", __file__, "--key", __file__],
        ["backup", "/nowhere/at/all.db"],
        ["backfill", "--out", "/proc/nowhere"],
    ],
)
def test_a_wrong_question_is_one_clear_line_and_status_two(example: Path, arguments: list[str]) -> None:
    answer = ask(example, *arguments)

    assert answer.status == 2
    assert answer.output == ""
    assert answer.problem
    assert "\n" not in answer.problem


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "first"],
        ["nothing"],
        ["log", "--type", "game.won"],
        ["log", "--model-type", "linear"],
        ["log", "--limit", "0"],
        ["replay", "--to", "1", "--until", "2026-01-01"],
        ["replay", "--projection", "x"],
        ["replay", "--format", "xml"],
        ["verify", "--expect", "5"],
        ["verify", "--expect", "5:00"],
        ["verify", "--from", "0"],
        ["what-if", "--alpha", "2"],
        ["what-if", "--alpha", "nan"],
        ["what-if", "--alpha", "a fifth"],
        ["what-if", "--minimum-games", "0"],
        ["what-if", "--rule", "coin/1"],
        ["backfill", "--out", "x", "--step", "5m"],
        ["backfill", "--out", "x", "--step", "0"],
        ["backfill", "--out", "x", "--step", "1h"],
        ["backfill"],
        ["import", "/nowhere"],
        ["show", "-1"],
    ],
)
def test_a_wrong_option_is_status_two(example: Path, arguments: list[str]) -> None:
    answer = ask(example, *arguments)

    assert answer.status == 2
    assert "Error: " in answer.problem


@pytest.mark.parametrize("command", [*READERS, "rebuild", "backup", "export"])
def test_what_is_no_database_is_reported_in_one_line(tmp_path: Path, command: str) -> None:
    text, other = tmp_path / "text.db", tmp_path / "other.db"
    text.write_text("no database" * 1_000)
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    arguments = {"backup": [str(tmp_path / "backup.db")]}.get(command, READERS.get(command, []))

    answers = [
        ask(database, command, *arguments) for database in (text, other, tmp_path / "none.db", "a database")
    ]

    assert [answer.status for answer in answers] == [2] * 4
    assert all(answer.problem and "\n" not in answer.problem for answer in answers)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.db", "text.db"]


def test_a_ledger_of_another_release_names_the_migration(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")

    assert "rps migrate" in ask(copy, "verify").problem


def test_main_reports_a_problem_on_standard_error(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("rps-audit")

    done = subprocess.run([program, "status"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    where = "no ledger at data/ledger.db (--database names another)"
    assert done.stderr == f"rps-audit: {where}: set RPS_DATA_DIR or run `rps setup`\n"


@pytest.mark.parametrize("time", ["[/red]", "two\nlines"])
def test_main_reports_a_problem_in_one_line_whatever_was_typed(example: Path, time: str) -> None:
    program = Path(sys.executable).with_name("rps-audit")
    arguments = ("--database", f"sqlite:///{example}", "log", "--since", time)

    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"rps-audit: {time!r} is not an ISO 8601 time")
    assert done.stderr.count("\n") == 1


def test_main_reports_a_wrong_option_with_status_two(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("rps-audit")

    done = subprocess.run(
        [program, "status", "--nothing"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: No such option" in done.stderr


def test_an_auditor_trusts_little() -> None:
    """No model library, no registry, no web framework: whatever is imported can lie."""
    heavy = ("mlflow", "sklearn", "xgboost", "onnxruntime", "onnx", "skl2onnx", "numpy", "scipy", "pandas")
    others = ("gameplay", "alembic", "starlette", "apscheduler", "uvicorn")
    program = f"import projections.cli, sys; print(sorted(set(sys.modules) & set({heavy + others!r})))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_no_environment_is_read(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RPS_DATABASE_URL", "RPS_DATA_DIR", "RPS_NO_SUCH_SETTING"):
        monkeypatch.setenv(name, "/nowhere")

    assert ask(example, "status").status == 0


def test_status_says_what_is_there(example: Path) -> None:
    found = ask(example, "status", "--json").json

    assert found["head"]["position"] == sum(found["events"].values())
    assert found["last_seal"] == {"size": found["head"]["position"], "unsealed": 0}
    assert {one["name"] for one in found["projections"]} == set(READ_MODELS)
    assert found["intact"]


def test_status_of_an_empty_ledger_is_zero_everywhere(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").touch()
    empty = tmp_path / "empty.db"
    assert ask(empty, "import", str(tmp_path / "none.jsonl")).status == 0

    found = ask(empty, "status", "--json").json

    assert (found["head"]["position"], found["events"], found["last_seal"]) == (0, {}, None)
    assert [ask(empty, *command).status for command in (["status"], ["verify"], ["decisions"], ["what-if"])] == [
        0
    ] * 4
    assert "no events" in ask(empty, "show", "1").problem


def test_log_filters_and_keeps_the_newest(example: Path) -> None:
    def log(*arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in ask(example, "log", "--json", *arguments).output.splitlines()]

    everything = log("--limit", "100000")
    cycles = log("--type", "promotion.cycle_decided", "--model-type", "xgboost", "--limit", "3")
    stream = log("--stream", "promotion-xgboost", "--limit", "2")
    day = log("--since", "2025-11-05", "--until", "2025-11-05T12:00:00Z", "--limit", "100000")

    positions = [entry["position"] for entry in everything]
    assert positions == list(range(1, len(everything) + 1))
    expected = [
        entry
        for entry in everything
        if entry["type"] == "promotion.cycle_decided" and entry["payload"]["model_type"] == "xgboost"
    ]
    assert cycles == expected[-3:]
    assert stream == [entry for entry in everything if entry["stream"] == "promotion-xgboost"][-2:]
    assert day == [e for e in everything if "2025-11-05T00:00" <= e["recorded"] <= "2025-11-05T12:00:00.000000Z"]


def test_log_follows_what_is_appended(copy: Path) -> None:
    program = str(Path(sys.executable).with_name("rps-audit"))
    follow = [
        program,
        "--database",
        f"sqlite:///{copy}",
        "log",
        "--limit",
        "1",
        "--follow",
        "--json",
        "--type",
        "training.completed",
    ]
    with closing(sqlite3.connect(copy)) as connection:
        last = connection.execute("SELECT * FROM events ORDER BY position DESC LIMIT 1").fetchone()
        payload = connection.execute("SELECT payload FROM events WHERE type = 'training.completed'").fetchone()[0]
        with subprocess.Popen(follow, stdout=subprocess.PIPE, text=True) as following:
            assert following.stdout
            first = json.loads(following.stdout.readline())
            new = (last[0] + 1, "new", "training-new", 1, "training.completed", 1, last[6], payload, bytes(32))
            connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", new)
            connection.commit()
            second = json.loads(following.stdout.readline())
            following.terminate()

    assert first["type"] == "training.completed"
    assert second["position"] == last[0] + 1


def test_show_says_how_an_event_hangs_in_the_chain(tampered: tuple[Path, int]) -> None:
    path, position = tampered

    whole, edited = (ask(path, "show", str(one), "--json").json for one in (position - 1, position))

    assert whole["chain"]["fits_previous"]
    assert not edited["chain"]["fits_previous"]
    assert edited["chain"]["next_fits"]
    assert edited["payload"]["winner"] == "bot"


def test_show_of_an_event_that_cannot_be_read_shows_its_bytes(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("DROP TRIGGER events_refuse_update")
        connection.execute("UPDATE events SET payload = x'7b5b' WHERE position = 5")

    assert "{[" in ask(copy, "show", "5").output
    assert ask(copy, "show", "5", "--json").json["payload"] == "{["


def test_verify_takes_key_and_archive(example: Path, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.pub"
    stranger.write_text("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "utf-8")
    (tmp_path / "seals").mkdir()
    (tmp_path / "seals" / "00000000000000009999.note").write_bytes(SIGNER.sign(9_999, bytes(32)))

    signed = ask(example, "verify", "--json").json
    by_stranger = ask(example, "verify", "--key", str(stranger), "--json")
    archived = ask(example, "verify", "--archive", str(tmp_path), "--json")

    assert signed["signatures_checked"]
    assert signed["report"]["claims"] == 3
    assert {one["kind"] for one in by_stranger.json["report"]["findings"]} == {"bad seal"}
    assert [one["kind"] for one in archived.json["report"]["findings"]] == ["cut tail", "missing seal"]
    assert by_stranger.status == archived.status == 1


def test_verify_without_a_key_says_that_signatures_are_not_checked(copy: Path) -> None:
    answer = ask(copy, "verify")

    assert answer.status == 0
    assert "not checked" in answer.output


def test_a_changed_winner_is_found_by_verify_compare_and_decisions(tampered: tuple[Path, int]) -> None:
    path, position = tampered

    verified = ask(path, "verify", "--json")
    decided = ask(path, "decisions", "--json")

    assert (verified.status, decided.status, ask(path, "compare").status) == (1, 1, 1)
    assert [one["position"] for one in verified.json["report"]["findings"]] == [position]
    assert [one["position"] for one in decided.json["problems"]] == [position]
    assert not all(one["agrees"] for one in decided.json["decisions"])
    assert f"position {position}" in ask(path, "verify").output.replace(",", "")


def test_seal_prove_and_verify_proof_go_together(copy: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("DROP TRIGGER seals_refuse_delete")
        connection.execute("DELETE FROM seals")
        connection.execute(TRIGGERS["seals_refuse_delete"])
    key, proof = str(tmp_path / "own.key"), str(tmp_path / "proof.json")

    before = ask(copy, "prove", "77")
    sealed, again = ask(copy, "seal", "--key", key, "--json"), ask(copy, "seal", "--key", key)
    proved = ask(copy, "prove", "77", "--out", proof, "--json")
    held = ask("sqlite:///nowhere.db", "verify-proof", proof, "--key", f"{key}.pub", "--json")

    assert "not sealed: there is no seal yet" in before.problem
    assert sealed.json["sealed"] == proved.json["size"] == held.json["size"]
    assert "already" in again.output
    assert held.json["holds"]
    assert held.json["position"] == 77
    assert ask(copy, "verify", "--key", f"{key}.pub").status == 0


def test_a_proof_that_does_not_hold_is_a_finding(example: Path, tmp_path: Path) -> None:
    path, key = tmp_path / "proof.json", str(example.with_name("seal.key.pub"))
    assert ask(example, "prove", "77", "--out", str(path)).status == 0
    path.write_text(path.read_text().replace('"position": 77', '"position": 78'))

    shown, as_json = (ask(example, "verify-proof", str(path), "--key", key, *more) for more in ([], ["--json"]))

    assert (shown.status, as_json.status) == (1, 1)
    assert "does not hold" in shown.output
    assert as_json.json["holds"] is False


def test_replay_as_prometheus_is_what_metrics_would_have_said(example: Path) -> None:
    text = ask(example, "replay", "--to", "1588", "--format", "prometheus").output
    since = ask(example, "replay", "--format", "prometheus", "--metrics-since", "2025-11-08").output

    assert 'rps_model_promotion_events_total{decision="swap_production_b",model="xgboost"} 1.0\n' in text
    assert 'rps_model_promotion_pending{model="xgboost"} 0.0\n' in text
    assert "rps_ledger_position 1588.0\n" in text
    assert 'rps_model_promotion_events_total{decision="swap_production_b",model="xgboost"} 0.0\n' in since


def test_aliases_are_those_at_the_position(example: Path) -> None:
    before, after = (ask(example, "aliases", "--at", at, "--json").json["aliases"] for at in ("1589", "1590"))

    assert (before["xgboost"]["Production"], before["xgboost"]["B"]) == (1, 2)
    assert (after["xgboost"]["Production"], after["xgboost"]["B"]) == (2, 1)


def test_diff_says_what_changed_in_either_order(example: Path) -> None:
    forth = ask(example, "diff", "1589", "1590", "--projection", "tickers", "--json").json
    back = ask(example, "diff", "1590", "1589", "--projection", "tickers", "--json").json

    assert forth == back
    count = {"path": "tickers.windows.xgboost.swap_count", "before": 0, "after": 1, "change": 1}
    assert count in forth["changes"]
    assert ask(example, "diff", "1590", "1590", "--json").json["changes"] == []


def test_rebuild_leads_to_what_compare_wants(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("DELETE FROM promotion_history")

    assert ask(copy, "compare").status == 1
    rebuilt = ask(copy, "rebuild", "--projection", "promotion_history", "--json").json
    assert rebuilt["rebuilt"] == ["promotion_history"]
    assert ask(copy, "compare").status == 0


def test_export_import_and_backup_give_the_same_head(example: Path, tmp_path: Path) -> None:
    lines, copy, backup = tmp_path / "ledger.jsonl", tmp_path / "copy.db", tmp_path / "backup.db"

    statuses = [
        ask(example, "export", str(lines)).status,
        ask(copy, "import", str(lines)).status,
        ask(example, "backup", str(backup)).status,
    ]

    assert statuses == [0, 0, 0]
    heads = {ask(path, "status", "--json").json["head"]["chain_hash"] for path in (example, copy, backup)}
    assert len(heads) == 1
    assert ask(copy, "import", str(lines)).status == 2
    assert ask(example, "backup", str(backup)).status == 2


def test_an_import_of_a_changed_line_is_a_finding_and_of_anything_else_a_problem(
    example: Path, tmp_path: Path
) -> None:
    lines = tmp_path / "ledger.jsonl"
    ask(example, "export", str(lines))
    changed = tmp_path / "changed.jsonl"
    changed.write_bytes(lines.read_bytes().replace(b'"winner":"user"', b'"winner":"bot"', 1))

    finding = ask(tmp_path / "a.db", "import", str(changed))
    problem = ask(tmp_path / "b.db", "import", __file__)

    assert (finding.status, problem.status) == (1, 2)
    assert "does not give its chain hash; nothing was imported" in finding.output
    assert "no exported entry" in problem.problem


def test_backfill_writes_and_refuses_to_write_twice(example: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")

    first = ask(example, "backfill", "--out", out, "--step", "4m", "--from", "2025-11-08", "--json")
    second = ask(example, "backfill", "--out", out, "--step", "4m")

    assert first.json["samples"] > 0
    assert first.json["labels"] == {"job": "rps-ledger", "instance": "ledger"}
    assert second.status == 2
    assert "not empty" in second.problem


def test_the_page_shows_what_the_commands_say(tmp_path: Path) -> None:
    """`python -m scripts.audit_docs` brings it up to date."""
    require("promtool")
    page = PAGE.read_text("utf-8")

    assert render(page, tmp_path) == page
