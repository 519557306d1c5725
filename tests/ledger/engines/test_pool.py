import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from ledger.engines.database import disposing, open_engine, open_reader, transaction
from tests.patience import PATIENCE_SECONDS


class Watch:
    """How many of an engine's connections are open."""

    def __init__(self, engine: Engine) -> None:
        self.open = 0
        event.listen(engine, "connect", lambda *_: self._count(1))
        event.listen(engine, "close", lambda *_: self._count(-1))

    def _count(self, more: int) -> None:
        self.open += more


@pytest.fixture(params=["writer", "reader"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path / 'pooled.db'}"
    with disposing(open_engine(url)) as made, transaction(made):
        pass  # a reader makes no file
    with disposing(open_engine(url) if request.param == "writer" else open_reader(url)) as engine:
        yield engine


def test_a_connection_is_kept_for_the_next_caller_until_the_end(opened: Engine) -> None:
    watch = Watch(opened)
    for _ in range(2):
        with transaction(opened):
            pass
        assert watch.open == 1

    opened.dispose()

    assert watch.open == 0


def test_a_connection_that_comes_back_after_the_end_is_closed(opened: Engine) -> None:
    watch, taken, ended = Watch(opened), threading.Event(), threading.Event()

    def hang() -> None:
        with transaction(opened):
            taken.set()
            ended.wait(PATIENCE_SECONDS)

    job = threading.Thread(target=hang)
    job.start()
    assert taken.wait(PATIENCE_SECONDS)
    opened.dispose()
    assert watch.open == 1
    ended.set()
    job.join()

    assert watch.open == 0


@pytest.mark.parametrize("disposals", [1, 2])
def test_a_connection_that_is_taken_after_the_end_is_closed(opened: Engine, disposals: int) -> None:
    watch = Watch(opened)
    for _ in range(disposals):
        opened.dispose()

    with transaction(opened) as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
        with transaction(opened):
            assert watch.open == 2

    assert watch.open == 0
