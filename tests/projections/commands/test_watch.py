import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

import pytest

from ledger.engines.database import disposing, open_engine, transaction
from ledger.schema import events
from ledger.store import Ledger
from ledger.streams import promotion_stream
from projections.audit.decisions import check_decisions
from projections.audit.watch import Watch
from tests.builders import game_started
from tests.patience import PATIENCE_SECONDS
from tests.projections.sabotage import execute
from tests.projections.terminal import ask


@pytest.fixture
def watched(example: Path, tmp_path: Path) -> Path:
    """The example's file, to write to; its key lies elsewhere."""
    return Path(shutil.copy(example, tmp_path / "ledger.db"))


@pytest.fixture
def ledger(watched: Path) -> Iterator[Ledger]:
    with disposing(open_engine(f"sqlite:///{watched}", must_exist=True)) as engine:
        yield Ledger(engine)


def append_game(ledger: Ledger, number: int) -> int:
    ledger.append(f"game-new-{number}", [game_started(game_id=f"new-{number}")], 0)
    return ledger.head().position


def test_a_watch_verifies_what_is_appended_between_two_looks(ledger: Ledger) -> None:
    watch, head = Watch(), ledger.head().position

    first = watch.look(ledger)
    position = append_game(ledger, 1)
    second = watch.look(ledger)

    assert (first.verified_position, second.verified_position) == (head, position)
    assert (first.findings, second.findings) == ((), ())


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE events SET payload = x'7b7d' WHERE position = (SELECT max(position) FROM events)", "edited"),
        ("UPDATE events SET chain_hash = zeroblob(32) WHERE position = 7550", "hash"),
        ("DELETE FROM events WHERE position > (SELECT max(position) FROM events) - 3", "cut tail"),
    ],
)
def test_a_finding_stays_when_what_was_changed_is_put_back(
    watched: Path, tmp_path: Path, statement: str, kind: str
) -> None:
    watch = Watch()
    with disposing(open_engine(f"sqlite:///{watched}")) as engine:
        watch.look(Ledger(engine))
        append_game(Ledger(engine), 1)
    shutil.copy(watched, tmp_path / "kept.db")
    execute(watched, statement)

    with disposing(open_engine(f"sqlite:///{watched}")) as engine:
        found = watch.look(Ledger(engine)).findings
        again = watch.look(Ledger(engine)).findings
    shutil.copy(tmp_path / "kept.db", watched)
    with disposing(open_engine(f"sqlite:///{watched}")) as engine:
        last = watch.look(Ledger(engine)).findings

    assert found
    assert kind in found[0]
    assert (again, last) == ((), ())
    assert tuple(watch.findings) == found


def test_a_row_that_was_verified_before_is_looked_at_again_when_everything_is(watched: Path) -> None:
    watch = Watch()
    with disposing(open_engine(f"sqlite:///{watched}")) as engine:
        watch.look(Ledger(engine))
    execute(watched, "UPDATE events SET payload = x'7b7d' WHERE position = 100")

    with disposing(open_engine(f"sqlite:///{watched}")) as engine:
        assert watch.look(Ledger(engine)).findings == ()
        assert "position 100: edited" in watch.look(Ledger(engine), everything=True).findings[0]


def test_a_decision_that_comes_out_otherwise_is_a_finding_once_it_is_appended(ledger: Ledger) -> None:
    watch = Watch()
    assert watch.look(ledger).findings == ()
    newest = check_decisions(ledger).decisions[-1].event
    stream = promotion_stream(newest.model_type)

    ledger.append(stream, [newest], ledger.version(stream))  # the same cycle number and evidence once more

    assert any("the decision's cycle is recorded as" in one for one in watch.look(ledger).findings)


def test_one_look_of_a_sound_ledger_is_status_zero_and_of_a_changed_one_status_one(watched: Path) -> None:
    sound = ask(watched, "watch", "--once", "--json")
    execute(watched, "UPDATE events SET payload = x'7b7d' WHERE position = 100")
    changed = ask(watched, "watch", "--once")

    assert sound.status == 0
    assert sound.json == {"verified_position": 7550, "new_findings": [], "findings": 0}
    assert changed.status == 1
    assert "position 100: edited" in changed.output


def test_a_port_that_is_taken_is_one_line(watched: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        answer = ask(watched, "watch", "--port", str(taken.getsockname()[1]))

    assert (answer.status, answer.output) == (2, "")
    assert "Address already in use" in answer.problem


def test_a_watch_shows_its_series_outlasts_a_look_that_cannot_read_and_ends_by_sigterm(watched: Path) -> None:
    program, aside = str(Path(sys.executable).with_name("rps-audit")), watched.with_name("aside.db")
    arguments = ["--database", f"sqlite:///{watched}", "watch", "--every", "1s", "--port", "0", "--json"]
    with subprocess.Popen(
        [program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        address = running.stderr.readline().strip()
        first = json.loads(running.stdout.readline())
        with urlopen(address, timeout=PATIENCE_SECONDS) as page:
            series = dict(re.findall(r"^(rps_audit_\w+) (\S+)$", page.read().decode(), re.MULTILINE))
        watched.rename(aside)
        # A rename in the middle of a look is said otherwise, and the next look finds no file.
        unread = next(line for line in running.stderr if "no ledger at" in line)
        aside.rename(watched)
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=PATIENCE_SECONDS)

    assert first == {"verified_position": 7550, "new_findings": [], "findings": 0}
    assert series == {"rps_audit_verified_position": "7550.0", "rps_audit_findings": "0.0"}
    assert unread.startswith("not verified this time: no ledger at")
    assert running.returncode == 0
    assert "Traceback" not in said


def test_a_locked_ledger_is_verified_all_the_same(watched: Path) -> None:
    with (
        disposing(open_engine(f"sqlite:///{watched}")) as engine,
        transaction(engine, write=[events]) as connection,
    ):
        connection.exec_driver_sql("DELETE FROM projection_snapshots")

        assert ask(watched, "watch", "--once", "--json").json["verified_position"] == 7550
