import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.engines.database import open_engine
from ledger.store import Ledger
from ledger.times import show_time
from projections.commands import looking
from tests.builders import game_started
from tests.projections.sabotage import execute
from tests.projections.stories import BEGIN_US, SECOND_US, Clock
from tests.projections.stories import append as append_to
from tests.projections.terminal import ask

PROGRAM = str(Path(sys.executable).with_name("rps-audit"))


def program(database: Path, *arguments: str) -> list[str]:
    return [PROGRAM, "--database", f"sqlite:///{database}", *arguments]


def append(path: Path, player: str) -> int:
    """Append a game of a player; returns its position."""
    engine = open_engine(f"sqlite:///{path}")
    receipt = Ledger(engine).append("game-new", [game_started(game_id="new", player_id=player)], 0)
    engine.dispose()
    return receipt.last_position


def test_log_says_when_it_leaves_something_out(example: Path) -> None:
    day = ("--since", "2025-11-05", "--until", "2025-11-06")

    cut, wanted = ask(example, "log", *day), ask(example, "log", *day, "--limit", "20")
    everything = ask(example, "log", "--model-type", "xgboost", "--type", "promotion.aliases_assigned")

    assert len(cut.output.splitlines()) == len(wanted.output.splitlines()) == 20
    assert cut.problem == "these are the newest 20: --limit shows more\n"
    assert (wanted.problem, everything.problem) == ("", "")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--stream", "game-none"], "there is no stream 'game-none'"),
        (["--since", "2025-11-06", "--until", "2025-11-05"], "--since is later than --until"),
        (["--since", "2025-11-06", "--until", "2025-11-05", "--follow"], "--since is later than --until"),
        (["--until", "2025-11-01"], "is before the ledger, which begins at 2025-11-03T08:00:00.000000Z"),
    ],
)
def test_log_refuses_to_look_for_what_cannot_be_there(example: Path, arguments: list[str], problem: str) -> None:
    answer = ask(example, "log", *arguments)

    assert (answer.status, answer.output) == (2, "")
    assert problem in answer.problem


def test_log_says_that_nothing_is_like_that(example: Path) -> None:
    answer = ask(example, "log", "--since", "2030-01-01")

    assert (answer.status, answer.output) == (0, "")
    assert answer.problem == "no event is like that\n"


def test_a_line_of_the_log_stays_one_line_whatever_a_player_is_called(copied: Path) -> None:
    position = append(copied, "eve\n    7552  2025-11-09\x1b[2K\u202e")

    log, shown = ask(copied, "log", "--limit", "1"), ask(copied, "show", str(position))

    assert log.output.count("\n") == 1
    assert "eve\\n    7552  2025-11-09\\x1b[2K\\u202e against" in log.output
    assert shown.output.startswith("eve\\n    7552")


def test_an_event_that_cannot_be_read_does_not_end_the_log(copied: Path) -> None:
    execute(copied, "UPDATE events SET payload = x'7b5bff' WHERE position = 7549")

    lines, as_json = (ask(copied, "log", "--limit", "3", *more).output.splitlines() for more in ([], ["--json"]))

    assert len(lines) == len(as_json) == 3
    assert "an event that cannot be read" in lines[1]
    assert json.loads(as_json[1])["payload"] == "{[\ufffd"


def test_the_time_of_an_event_can_be_given_back(copied: Path) -> None:
    append(copied, "cal")
    recorded = ask(copied, "show", "7551", "--json").json["recorded"]

    assert ask(copied, "aliases", "--at", recorded, "--json").json["position"] == 7_551
    since = ask(copied, "log", "--since", recorded, "--until", recorded, "--json").json
    assert (since["position"], since["recorded"]) == (7_551, recorded)


def test_hashes_are_hexadecimal_digits_in_text_and_json_alike(example: Path) -> None:
    shown, as_json = ask(example, "show", "1588").output, ask(example, "show", "1588", "--json").json
    logged = ask(example, "log", "--until", as_json["recorded"], "--limit", "2", "--json").output.splitlines()

    for name in ("chain_hash", "previous_hash", "leaf"):
        value = as_json.get(name) or as_json["chain"][name]
        assert len(bytes.fromhex(value)) == 32
        assert value in shown
    assert as_json["chain_hash"] in {json.loads(line)["chain_hash"] for line in logged}


@pytest.mark.parametrize("position", ["1588", "1,588"])
def test_a_position_is_taken_as_tables_show_it(example: Path, position: str) -> None:
    assert ask(example, "show", position, "--json").json["position"] == 1_588
    assert ask(example, "aliases", "--at", position, "--json").json["position"] == 1_588
    assert ask(example, "diff", position, position, "--json").json["to"] == 1_588
    assert ask(example, "verify", "--from", position, "--json").json["report"]["first"] == 1_588


@pytest.mark.parametrize("position", ["1,58", "1,5888", ",588", "1588,", "1_588", "٣"])
def test_what_only_looks_like_a_position_is_refused(example: Path, position: str) -> None:
    assert "no position such as 7550" in ask(example, "show", position).problem


def test_an_event_that_is_gone_is_reported_in_one_line(copied: Path) -> None:
    execute(copied, "DELETE FROM events WHERE position = 1588")

    answer = ask(copied, "show", "1588")

    assert answer.status == 2
    assert answer.problem == "no event stands at position 1588: run `rps-audit verify`"
    assert "fits_previous   -" in ask(copied, "show", "1589").output


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ("version = -1", "version         -1"),
        ("schema_version = -1", "an event that cannot be read"),
        ("recorded_us = -1", "1969-12-31T23:59:59.999999Z"),
        ("recorded_us = 9223372036854775807", "9223372036854775807 us, which is no time"),
        ("recorded_us = -9223372036854775808", "-9223372036854775808 us, which is no time"),
    ],
)
def test_show_shows_what_no_event_can_have_had(copied: Path, change: str, shown: str) -> None:
    execute(copied, f"UPDATE events SET {change} WHERE position = 7550")

    answer = ask(copied, "show", "7550")

    assert answer.status == 0
    assert shown in answer.output
    assert "fits_previous   no" in answer.output
    assert ask(copied, "show", "7550", "--json").json["chain"]["fits_previous"] is False
    assert ask(copied, "log", "--limit", "1").status == 0
    assert ask(copied, "prove", "77", "--out", str(copied.with_name("proof"))).status == 1
    assert ask(copied, "status").status == 1


def test_a_closed_pipe_ends_it_silently(example: Path, tmp_path: Path) -> None:
    for arguments in (["log", "--limit", "100000"], ["export"], ["replay", "--format", "prometheus"]):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "wb") as closed:
            done = subprocess.run(program(example, *arguments), stdout=closed, stderr=subprocess.PIPE, check=False)

        assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_ends_it_silently(example: Path) -> None:
    follow = program(example, "log", "--limit", "1", "--follow")
    with subprocess.Popen(follow, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as following:
        assert following.stdout
        assert following.stderr
        following.stdout.readline()
        following.send_signal(signal.SIGINT)
        remaining, errors = following.stdout.read(), following.stderr.read()

    assert following.returncode == 128 + signal.SIGINT
    assert (remaining, errors.strip()) == ("", "")


def test_to_follow_prints_what_is_recorded_up_to_the_time_and_then_ends(
    ledger: Ledger, clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was recorded in time is printed even if the clock has gone past it; other families' events are not."""
    monkeypatch.setattr(looking, "FOLLOW_SECONDS", 0)
    until_us = BEGIN_US + SECOND_US
    looks = iter([(0, "a"), (1, "b"), (1, "c")])

    def later() -> float:
        """The time of the next look, before which a game has been started at the time that it says."""
        seconds, game_id = next(looks)
        clock.now = (BEGIN_US + SECOND_US * seconds) / SECOND_US
        append_to(ledger, game_started(game_id=game_id, model_type="xgboost"), game_started(game_id=f"{game_id}2"))
        return clock.now + (game_id == "c")

    append_to(ledger, game_started(game_id="before", model_type="xgboost"))
    wanted = looking._Wanted(None, "game.started", "xgboost", None, until_us)
    looking._follow(Ledger(ledger.engine, clock=later), wanted, 1, as_json=True)

    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["stream"] for one in printed] == ["game-a", "game-b", "game-c"]
    assert [one["recorded"] for one in printed] == [show_time(BEGIN_US), *[show_time(until_us)] * 2]


def test_to_follow_leaves_out_what_was_recorded_too_late(
    ledger: Ledger, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    append_to(ledger, game_started(game_id="a"))
    clock.now += 2
    append_to(ledger, game_started(game_id="b"))

    looking._follow(ledger, looking._Wanted(None, None, None, None, BEGIN_US + SECOND_US), 0, as_json=True)

    assert [json.loads(line)["stream"] for line in capsys.readouterr().out.splitlines()] == ["game-a"]


def test_to_follow_until_a_time_that_is_over_comes_to_an_end(example: Path) -> None:
    until = ask(example, "show", "1588", "--json").json["recorded"]

    answer = ask(example, "log", "--follow", "--until", until, "--limit", "1", "--json")

    assert answer.status == 0
    assert len(answer.output.splitlines()) == 1
