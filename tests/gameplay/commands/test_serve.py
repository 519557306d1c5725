"""The set-up before serving: one process's, however many start at once."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from gameplay.commands import serve
from gameplay.config import Settings
from gameplay.core import Core, open_core
from gameplay.serving.leases import Leases
from ledger.vocabulary import FAMILIES
from tests.builders import aliases_assigned
from tests.gameplay.faults import FaultyRegistry
from tests.patience import PATIENCE_SECONDS


@pytest.fixture
def cores(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[list[Core]]:
    """Two processes over one ledger that is not set up."""
    with ExitStack() as stack:
        found = []
        for _ in range(2):
            settings = Settings(data_dir=tmp_path_factory.mktemp("process"), database_url=database)
            found.append(open_core(settings, registry=FaultyRegistry()))
            stack.callback(found[-1].close)
        yield found


class Waiting(threading.Thread):
    """Enters the set-up as a start does."""

    def __init__(self, core: Core) -> None:
        super().__init__()
        self.entered = threading.Event()
        self._core = core

    def run(self) -> None:
        with serve.setting_up_alone(self._core):
            self.entered.set()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "SETUP_PAUSE_SECONDS", 0.01)


def test_a_start_waits_for_another_process_that_sets_the_ledger_up(cores: list[Core]) -> None:
    first, second = cores
    waiting = Waiting(second)
    with serve.setting_up_alone(first):
        waiting.start()
        assert not waiting.entered.wait(0.1)
        for family in FAMILIES:
            first.ledger.append(f"promotion-{family}", [aliases_assigned(model_type=family)], 0)
        assert waiting.entered.wait(PATIENCE_SECONDS), "the ledger is set up: there is nothing to wait for"
    waiting.join()


def test_a_set_up_that_was_broken_off_is_another_process_s(cores: list[Core]) -> None:
    first, second = cores
    waiting = Waiting(second)
    with suppress(KeyboardInterrupt), serve.setting_up_alone(first):
        waiting.start()
        raise KeyboardInterrupt
    assert waiting.entered.wait(PATIENCE_SECONDS)
    waiting.join()


def test_a_ledger_that_is_set_up_is_waited_for_by_none(cores: list[Core]) -> None:
    first, second = cores
    for family in FAMILIES:
        first.ledger.append(f"promotion-{family}", [aliases_assigned(model_type=family)], 0)
    assert Leases(first.engine).take("set-up", serve.SETUP_SECONDS_MAX)
    with serve.setting_up_alone(second):
        pass
