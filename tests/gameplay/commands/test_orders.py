import getpass
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gameplay.cli import rps
from gameplay.commands.orders import login_name
from ledger.engines.database import disposing, open_engine
from ledger.events import AliasesAssigned, AliasPinned, Event
from ledger.store import Ledger
from projections.commands.program import EXIT_PROBLEM
from projections.decision.cycle import plan
from tests.builders import assignment

Run = Callable[..., Result]
ORDER = ("--model-type", "xgboost", "--reason", "a campaign")


@pytest.fixture
def run(data_dir: Path) -> Run:
    return lambda *words: CliRunner().invoke(rps, ["promotion", *words], env={"RPS_DATA_DIR": str(data_dir)})


@pytest.fixture
def ledger(data_dir: Path) -> Iterator[Ledger]:
    with disposing(open_engine(f"sqlite:///{data_dir / 'ledger.db'}")) as engine:
        yield Ledger(engine)


def newest(ledger: Ledger) -> Event:
    return ledger.decode(ledger.read(limit=1, descending=True)[0])


def test_a_pin_says_who_and_until_when(run: Run, ledger: Ledger) -> None:
    pinned = run("pin", *ORDER, "--alias", "B", "--expires", "2099-01-01", "--actor", "ada", "--version", "2")

    assert pinned.exit_code == 0, pinned.output
    assert "xgboost: B is held at v2 until 2099-01-01T00:00:00.000000Z, at position" in pinned.stdout
    event = newest(ledger)
    assert isinstance(event, AliasPinned)
    assert (event.actor, event.reason, event.key) == ("ada", "a campaign", None)
    assert "xgboost: B is held at v2 no more" in run("unpin", *ORDER, "--alias", "B").stdout


def test_the_actor_is_the_login_name_where_none_is_given(run: Run, ledger: Ledger) -> None:
    assert run("pin", *ORDER, "--alias", "B").exit_code == 0

    event = newest(ledger)
    assert isinstance(event, AliasPinned)
    assert event.actor == getpass.getuser()


def test_a_user_without_a_name_is_a_number() -> None:
    def nameless() -> str:
        raise OSError("No username set in the environment")

    assert login_name(nameless).startswith("uid ")


def test_the_same_key_again_writes_nothing(run: Run, ledger: Ledger) -> None:
    first = run("pin", *ORDER, "--alias", "B", "--key", "k1", "--json")
    head = ledger.head()

    again = run("pin", *ORDER, "--alias", "B", "--key", "k1", "--json")
    for_people = run("pin", *ORDER, "--alias", "B", "--key", "k1")

    assert json.loads(again.stdout) == {**json.loads(first.stdout), "repeated": True}
    assert for_people.stdout.endswith("; this order was there already\n")
    assert ledger.head() == head


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("pin", *ORDER, "--alias", "B", "--expires", "2020-01-01"), "the pin would expire at 2020-01-01"),
        (("pin", *ORDER, "--alias", "B", "--expires", "soon"), "'soon' is not an ISO 8601 time"),
        (("pin", *ORDER, "--alias", "B", "--version", "9"), "version 9 of xgboost is not behind B: version 2 is"),
        (("pin", *ORDER, "--alias", "C"), "Invalid value for '--alias'"),
        (("pin", *ORDER[:2], "--alias", "B", "--reason", "  "), "the reason is empty"),
        (("pin", *ORDER, "--alias", "B", "--actor", ""), "the actor is a name of 1 to 200 characters"),
        (("unpin", *ORDER, "--alias", "B"), "B of xgboost is not pinned; no alias is"),
        (("swap", *ORDER, "--to", "9"), "version 9 of xgboost is behind no alias"),
        (("swap", *ORDER, "--to", "1"), "version 1 of xgboost is behind Production already"),
        (("swap", *ORDER), "version 1 of xgboost does not exist any more; nothing is moved"),
        (("undo", *ORDER), "xgboost has had no swap yet that could be undone"),
        (("swap", "--model-type", "xgboost"), "Missing option '--reason'"),
        (("swap", "--reason", "because"), "Missing option '--model-type'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_nothing_is_written(
    run: Run, ledger: Ledger, words: tuple[str, ...], problem: str
) -> None:
    head = ledger.head()

    refused = run(*words)

    assert refused.exit_code == EXIT_PROBLEM
    assert problem in refused.stderr
    assert refused.stdout == ""
    assert ledger.head() == head


def test_a_plan_is_cancelled_by_name_and_reason(run: Run, ledger: Ledger) -> None:
    planned = plan("manual", "xgboost", assignment(), assignment((1, 2, 3, 77)))
    ledger.append("promotion-xgboost", [planned], ledger.version("promotion-xgboost"))
    assert run("pin", *ORDER, "--alias", "B").exit_code == EXIT_PROBLEM

    cancelled = run("cancel", *ORDER, "--actor", "ada")

    assert "is cancelled; the aliases stay Production v1, B v2, shadow1 v3, shadow2 v4" in cancelled.stdout
    event = newest(ledger)
    assert isinstance(event, AliasesAssigned)
    assert (event.actor, event.reason) == ("ada", "a campaign")


def test_the_history_shows_what_operators_and_cycles_did(run: Run) -> None:
    run("pin", *ORDER, "--alias", "B", "--actor", "ada")
    run("cycle", "--model-type", "xgboost")
    run("unpin", *ORDER, "--alias", "B", "--actor", "bob")

    found = [json.loads(line) for line in run("history", "--model-type", "xgboost", "--json").stdout.splitlines()]

    assert [(one["kind"], one["actor"], one["applied"]) for one in found] == [
        ("unpin", "bob", None),
        ("cycle", None, None),
        ("pin", "ada", None),
        ("adoption", None, None),
    ]
    assert found[0]["reason"] == "a campaign"
    (newest_one,) = run("history", "--limit", "1", "--json").stdout.splitlines()
    assert json.loads(newest_one) == found[0]
    table = run("history", "--model-type", "xgboost").stdout
    assert "B is held at v2" in table
    assert "insufficient_data" in table
