import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gameplay.cli import rps
from ledger.engines.database import disposing, open_engine
from ledger.events import ClockAccepted, LedgerAccepted
from ledger.identity import LinkFile, newest_link
from ledger.store import Ledger
from projections.commands.program import EXIT_PROBLEM

Run = Callable[..., Result]


@pytest.fixture
def run(data_dir: Path) -> Run:
    return lambda *words: CliRunner().invoke(rps, words, env={"RPS_DATA_DIR": str(data_dir)})


def test_a_ledger_that_is_refused_is_accepted_with_a_reason(run: Run, data_dir: Path) -> None:
    run("erase", "Nadia")  # a command like any other, from which on the ledger is known
    known = data_dir / "ledger.id"
    known.write_text(known.read_text().replace('"position":', '"position":9'))
    refused = run("erase", "Nadia")
    assert (refused.exit_code, "run `rps accept-ledger" in refused.stderr) == (EXIT_PROBLEM, True)

    accepted = run("accept-ledger", "--reason", "the disk broke", "--json")

    assert accepted.exit_code == 0, accepted.output
    with disposing(open_engine(f"sqlite:///{data_dir / 'ledger.db'}")) as engine:
        ledger = Ledger(engine)
        event = ledger.decode(ledger.read_stream("ledger")[0])
        assert isinstance(event, LedgerAccepted)
        assert (event.reason, event.archived) == ("the disk broke", 0)
        assert json.loads(accepted.stdout)["ledger_id"] == event.ledger_id
        assert LinkFile(known).read() == newest_link(ledger)
    assert "no player is known" in run("erase", "Nadia").stdout


def test_a_clock_is_accepted_with_a_reason(run: Run, data_dir: Path) -> None:
    accepted = run("clock", "accept", "--reason", "it was wrong before", "--json")

    assert accepted.exit_code == 0, accepted.output
    with disposing(open_engine(f"sqlite:///{data_dir / 'ledger.db'}")) as engine:
        ledger = Ledger(engine)
        entry = ledger.read_stream("ledger")[0]
        event = ledger.decode(entry)
    assert isinstance(event, ClockAccepted)
    assert event.reason == "it was wrong before"
    said = json.loads(accepted.stdout)
    assert (said["position"], said["clock_us"]) == (entry.position, event.clock_us)
    assert abs(event.clock_us - entry.recorded_us) < 60_000_000


@pytest.mark.parametrize("words", [("accept-ledger",), ("clock", "accept")])
def test_nothing_is_accepted_without_reason_or_ledger(run: Run, data_dir: Path, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == EXIT_PROBLEM

    (data_dir / "ledger.db").unlink()

    without = run(*words, "--reason", "because")
    assert (without.exit_code, "no ledger at" in without.stderr) == (EXIT_PROBLEM, True)
    assert not (data_dir / "ledger.db").exists()
