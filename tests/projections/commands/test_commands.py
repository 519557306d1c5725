import io
import re
import shutil
from pathlib import Path
from typing import Any

import click
import pytest
from rich.console import Console

from ledger.store import Ledger
from ledger.times import parse_time
from ledger.vocabulary import FAMILIES
from projections.audit.rebuild import READ_MODELS
from projections.commands import console
from projections.commands.compare_versions import PairType
from projections.commands.numbers import AlphaType, DecimalType, DurationType, WholeType
from projections.commands.positions import AnchorType, PositionType
from projections.commands.replaying import OwnProjection, step_between
from projections.commands.since import since_us
from projections.decision.rules import KNOWN_RULES
from projections.since import SINCE_DATE
from tests.projections.sabotage import database, writable_copy
from tests.projections.terminal import Answer, ask, on_terminal


def test_what_if_lists_the_swaps_of_both_histories_with_their_times(example: Path) -> None:
    """A swap that both make has no line among the cycles that differ."""
    output = ask(example, "what-if", "--alpha", "0.05").output

    lines = [line.split() for line in output.splitlines()]
    swaps = {(line[0], line[-1]) for line in lines if "->" in line}
    assert {("1,590", "both"), ("2,859", "actual"), ("3,456", "otherwise")} <= swaps
    assert ["1,590", "2025-11-04", "09:01", "xgboost", "v1", "->", "v2", "both"] in lines


def test_what_if_says_what_its_rates_rest_on_and_where_it_guesses(example: Path) -> None:
    answer = ask(example, "what-if", "--alpha", "0.05")

    outcomes = {
        one["model_type"]: one for one in ask(example, "what-if", "--alpha", "0.05", "--json").json["outcomes"]
    }
    limit = outcomes["multinomial_logistic"]["exact_until"]
    assert f"up to {limit:,}" in answer.output
    assert f"after position {limit:,} " in answer.output
    assert "v2 won 2 of 4" in answer.output
    assert "fewer than 10 games say little: v2\n" in answer.output
    assert "1 game of others" in answer.output
    for one in outcomes.values():
        assert one["time"]["whole_seconds"] == one["otherwise_time"]["whole_seconds"]


def test_what_if_takes_every_rule_by_its_name(example: Path) -> None:
    answers = [ask(example, "what-if", "--rule", name) for name in KNOWN_RULES]

    assert [answer.status for answer in answers] == [0, 0]
    assert "(rule = anytime-sign/1)" in answers[1].output


@pytest.mark.parametrize("columns", [80, 160])
@pytest.mark.parametrize("command", ["decisions", "what-if --rule anytime-sign/1"])
def test_a_row_is_a_line_on_a_terminal_of_any_width(example: Path, command: str, columns: int) -> None:
    shown = on_terminal(columns, "--database", f"sqlite:///{example}", *command.split())

    rows = [line for line in shown.splitlines() if " multinomial_logistic " in line and ": " not in line]
    assert rows
    assert all(len(line.rstrip()) <= columns for line in rows)
    assert all(line.split()[0].replace(",", "").isdecimal() or line.startswith(" multi") for line in rows)
    assert ("p so far" in shown) == (command == "decisions" and columns == 160)


def test_compare_says_what_is_not_stored(ledger: Ledger, example: Path, tmp_path: Path) -> None:
    empty = ask(database(ledger), "compare")
    with writable_copy(example, tmp_path) as copy, copy.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM projection_snapshots WHERE name = 'tickers'")
    partly = ask(tmp_path / "copy.db", "compare", "--json")

    assert empty.status == partly.status == 0
    assert "nothing is stored" in empty.output
    assert empty.output.count("not stored") == len(READ_MODELS)
    assert partly.json["not_stored"] == ["tickers"]


def test_diff_gives_whole_numbers_to_the_last_digit_and_times_as_times(example: Path) -> None:
    rows = cells_of(ask(example, "diff", "1587", "1592", "--projection", "standings"))

    assert rows["standings.families.xgboost.evaluation.evaluated_us"] == [
        "2025-11-04T03:01:02.000000Z",
        "2025-11-04T09:01:00.000000Z",
        "+21598.000",
        "s",
    ]
    assert rows["standings.families.xgboost.cycle"] == ["4", "5", "+1"]


def cells_of(answer: Answer) -> dict[str, list[str]]:
    """The rows of a table: the first cell, and the words of the others."""
    lines = [line.split() for line in answer.output.splitlines() if line.strip()]
    return {line[0]: line[1:] for line in lines}


@pytest.mark.parametrize(
    ("path", "before", "after", "step"),
    [
        ("a.games", 1_234_567, 2_469_135, "+1234568"),
        ("a.games", 2, 2**60, f"+{2**60 - 2}"),
        ("a.games", 7, 3, "-4"),
        ("a.seconds", 1_234_567.5, 2_469_136.0, "+1234568.5"),
        ("a.seconds", 0.1, 0.3, "+0.2"),
        ("a.swapped", True, False, ""),
        ("a.swapped", None, 3, ""),
        ("a.cause", "training", "manual", ""),
        ("a.last_us", 1_000_000, 2_500_001, "+1.500 s"),
    ],
)
def test_a_step_is_the_difference_of_two_numbers(path: str, before: object, after: object, step: str) -> None:
    assert step_between(path, before, after) == step


def test_a_row_of_the_history_is_named_by_its_id(example: Path) -> None:
    replayed = ask(example, "replay", "--to", "1,592", "--projection", "promotion_history")
    changed = ask(example, "diff", "1587", "1592", "--projection", "promotion_history", "--json").json

    assert cells_of(replayed)["1588.recorded_us"] == ["2025-11-04T09:01:00.000000Z"]
    assert {change["path"].split(".")[1] for change in changed["changes"]} == {"1588", "1591"}


def test_a_zero_is_shown_where_it_was_counted(example: Path) -> None:
    """Of B's games since a swap there are none yet, which is not the same as nothing to say."""
    replay = ("replay", "--to", "1590", "--projection")

    tickers = cells_of(ask(example, *replay, "tickers"))
    history = cells_of(ask(example, *replay, "promotion_history"))
    counters = cells_of(ask(example, *replay, "counters"))

    assert tickers["windows.xgboost.scores.B.wins"] == ["0"]
    assert history["1588.b_games_since_swap"] == ["0"]
    assert all(cells != ["0"] for cells in counters.values())


@pytest.mark.parametrize("option", [["--projection", "tickers"], ["--json"]])
def test_prometheus_s_format_goes_with_nothing_that_it_would_ignore(example: Path, option: list[str]) -> None:
    answer = ask(example, "replay", "--format", "prometheus", *option)

    assert answer.status == 2
    assert "no --projection, no --json" in answer.problem


def test_counters_that_are_stored_from_the_beginning_are_rebuilt_so(example: Path, tmp_path: Path) -> None:
    """A stored 0 is a time like any other; only where nothing is stored the default holds."""
    with writable_copy(example, tmp_path) as copy:
        assert since_us(copy, None) == 0
        with copy.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM projection_snapshots")
        assert since_us(copy, None) == parse_time(SINCE_DATE)
        assert since_us(copy, "1970-01-01") == 0


def test_json_has_what_the_tables_have(example: Path) -> None:
    replayed = ask(example, "replay", "--to", "1592", "--projection", "promotion_history", "--json").json
    aliases = ask(example, "aliases", "--at", "2025-11-05", "--json").json
    decision = next(
        one for one in ask(example, "decisions", "--json").json["decisions"] if one["position"] == 1588
    )
    logged = ask(example, "log", "--limit", "1", "--json").json

    assert replayed["states"]["promotion_history"]["1588"]["decision"] == "swap_production_b"
    assert aliases["swaps"] == {"feedforward_nn": 0, "xgboost": 1, "multinomial_logistic": 0}
    assert aliases["last_swap"]["xgboost"] == "2025-11-04T09:01:02.000000Z"
    assert decision["b"].keys() == {"version", "wins", "games"}
    assert (decision["reordered"], decision["p_so_far"][-1]) == (False, decision["p_value"])
    assert logged["summary"]


def test_a_decision_shows_the_p_of_its_family_s_last_cycles(example: Path) -> None:
    decisions = ask(example, "decisions", "--json").json["decisions"]

    for family in FAMILIES:
        of_family = [one for one in decisions if one["model_type"] == family]
        for number, one in enumerate(of_family, 1):
            assert one["p_so_far"] == [it["p_value"] for it in of_family[:number]][-12:]
        assert len(of_family) > 12


@pytest.mark.parametrize(
    ("former", "words"),
    [
        (["decisions", "--model", "xgboost"], ["decisions", "--model-type", "xgboost"]),
        (["log", "--family", "xgboost"], ["log", "--model-type", "xgboost"]),
        (["verify", "--witness", "/nowhere"], ["verify", "--archive", "/nowhere"]),
        (["verify", "--witness-endpoint", "x"], ["verify", "--archive-endpoint", "x"]),
        (["verify", "--witness-credentials", "x"], ["verify", "--archive-credentials", "x"]),
    ],
)
def test_a_former_name_of_an_option_is_taken_and_not_shown(
    example: Path, former: list[str], words: list[str]
) -> None:
    assert ask(example, *former) == ask(example, *words)
    assert f"{former[1]} " not in ask(example, former[0], "--help").output


@pytest.fixture(scope="module")
def worked_on(example: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example, twice, and with its lines."""
    folder = tmp_path_factory.mktemp("commands")
    for name in ("ledger.db", "rebuilt.db"):
        shutil.copy(example, folder / name)
    assert ask(example, "export", str(folder / "lines.jsonl")).status == 0
    return folder


@pytest.mark.parametrize(
    ("words", "done"),
    [
        ("verify", ["7550/7550"]),
        ("verify --from 7001", ["550/550"]),
        ("decisions", ["7550/7550"]),
        ("compare", ["7435/7550"]),
        ("what-if --alpha 0.05", ["7550/7550"]),
        ("compare-versions --model-type xgboost --versions 1,2", ["7550/7550"]),
        ("replay --to 1588 --projection tickers", ["1588/1588"]),
        ("diff 1000 1588 --projection tickers", ["1000/1000", "588/588"]),
        ("--database sqlite:///rebuilt.db rebuild --projection tickers", ["7550/7550"]),
        ("export exported.jsonl", ["7550/7550"]),
        ("--database sqlite:///new.db import lines.jsonl", ["7550/?"]),
        ("backup backup.db", ["7550/7550"]),
        ("copy --from sqlite:///ledger.db --to sqlite:///other.db", ["7550/7550"]),
        ("simulate-rules --runs 10 --cycles 5", ["200/200"]),
    ],
)
def test_a_bar_shows_how_far_a_command_has_come(
    worked_on: Path, monkeypatch: pytest.MonkeyPatch, words: str, done: list[str]
) -> None:
    shown = io.StringIO()
    monkeypatch.chdir(worked_on)
    monkeypatch.setattr(console, "BAR_FROM_EVENTS", 1)
    monkeypatch.setattr(console, "messages", Console(file=shown, force_terminal=True, width=120))

    assert ask(Path("ledger.db"), *words.split()).status == 0

    last = {total: events for events, total in re.findall(r"(\d+)/(\d+|\?)", shown.getvalue())}
    assert {*done} <= {f"{events}/{total}" for total, events in last.items()}


WHOLE, PAIR, ANCHOR = WholeType(1, 10), PairType(), AnchorType()


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        (WHOLE, "x", "'x' is not a whole number"),
        (WHOLE, "11", "11 does not lie between 1 and 10"),
        (DecimalType(0, 1), "x", "'x' is not a"),
        (DecimalType(0, 1), "2", "2 must be between 0 and 1"),
        (DecimalType(0), "-1", "-1 must be zero or more"),
        (AlphaType(), "1", "a decimal between 0 and 1"),
        (DurationType(60, "at most a minute"), "2m", "'2m' is no duration such as 60s or 2m, at most a minute"),
        (PositionType(1), "0", "'0' is no position such as 7550 or 7,550"),
        (ANCHOR, "7550", "'7550' is no anchor: write a position, a colon and 64 hexadecimal digits"),
        (PAIR, "3", "'3' is no pair of versions: write such as 3,7"),
        (PAIR, "3,x", "'x' is not a"),
        (PAIR, "3,3", "version 3 cannot be compared with itself"),
        (OwnProjection(), "nothing", "and no module:name"),
        (OwnProjection(), "no_such_module:x", "no_such_module:x: No module named 'no_such_module'"),
        (OwnProjection(), "sys:path", "sys:path is no projections.ReadModel"),
    ],
)
def test_a_value_is_refused_for_its_option_and_its_command(
    kind: click.ParamType[Any], text: str, problem: str
) -> None:
    option, context = click.Option(["--option"]), click.Context(click.Command("command"))

    with pytest.raises(click.BadParameter, match=re.escape(problem)) as refused:
        kind.convert(text, option, context)

    assert (refused.value.param, refused.value.ctx) == (option, context)
