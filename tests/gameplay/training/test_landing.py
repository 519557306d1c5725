import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gameplay.models.errors import TrainingError
from gameplay.training.landing import Landing, ends_between_versions
from tests.patience import PATIENCE_SECONDS

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@contextmanager
def program(state: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.gameplay.training.landing_program", state]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process


@pytest.mark.parametrize("number", SIGNALS)
def test_a_version_that_lands_is_recorded_before_the_process_ends(number: signal.Signals) -> None:
    with program("landing") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "registered\n"
        process.send_signal(number)

        output, errors = process.communicate("go on\n", timeout=PATIENCE_SECONDS)

    assert output == "recorded\n"
    assert process.returncode == 128 + number
    assert f"interrupted by {number.name}; every version is recorded: " in errors
    assert "no alias was moved" in errors


@pytest.mark.parametrize("number", SIGNALS)
def test_a_fit_under_way_does_not_hold_the_process(number: signal.Signals) -> None:
    with program("fitting") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "fitting\n"
        process.send_signal(number)

        process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 128 + number


def test_nothing_lands_any_more_when_the_process_ends() -> None:
    landing = Landing()
    assert landing.close(0)

    with pytest.raises(TrainingError, match="nothing is registered any more"), landing:
        pass


def test_an_end_does_not_wait_for_ever() -> None:
    landing = Landing()
    with landing:
        assert not landing.close(0.01)


def test_signals_are_as_they_were_afterwards_and_other_threads_leave_them_alone() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with ends_between_versions(Landing()):
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before

    seen: list[object] = []

    def elsewhere() -> None:
        with ends_between_versions(Landing()):
            seen.extend(signal.getsignal(number) for number in SIGNALS)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == before
