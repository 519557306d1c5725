"""The locks of a data folder. A `flock` belongs to an open file, so one process can hold it against itself."""

import os
import stat
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from gameplay.serving.errors import FolderInUse
from gameplay.serving.folder_locks import SERVING, STARTING, serving, starting_alone
from tests.patience import PATIENCE_SECONDS


def silent(_text: str) -> None:
    raise AssertionError("there is nothing to wait for")


def test_a_start_waits_for_the_one_before_and_names_its_process(tmp_path: Path) -> None:
    said: list[str] = []
    waits, started = threading.Event(), threading.Event()

    def say(text: str) -> None:
        said.append(text)
        waits.set()

    def start() -> None:
        with starting_alone(tmp_path, say):
            started.set()

    with starting_alone(tmp_path, silent):
        second = threading.Thread(target=start)
        second.start()
        assert waits.wait(PATIENCE_SECONDS)
        assert not started.is_set()

    assert started.wait(PATIENCE_SECONDS)
    second.join()
    assert said == [f"waiting for process {os.getpid()}, which is starting on {tmp_path}"]


def test_the_start_lock_names_the_newest_process_alone(tmp_path: Path) -> None:
    for _ in range(3):
        with starting_alone(tmp_path, silent):
            pass

    assert (tmp_path / STARTING).read_text() == f"{os.getpid()}\n"


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    with starting_alone(folder, silent):
        (lock,) = folder.iterdir()

        assert stat.S_IMODE(lock.stat().st_mode) == 0o600


def test_a_second_service_is_refused_with_the_first_ones_process(tmp_path: Path) -> None:
    with (
        serving(tmp_path, shared=False),
        pytest.raises(FolderInUse, match=rf"process {os.getpid()} serves .*RPS_SHARED=1"),
        serving(tmp_path, shared=False),
    ):
        pass


def test_a_service_that_shares_is_let_in_and_keeps_others_out(tmp_path: Path) -> None:
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(serving(tmp_path, shared=False))
        second.enter_context(serving(tmp_path, shared=True))
        first.close()

        with pytest.raises(FolderInUse), serving(tmp_path, shared=False):
            pass


def test_a_folder_is_free_again_after_its_service(tmp_path: Path) -> None:
    for _ in range(2):
        with serving(tmp_path, shared=False):
            pass

    assert (tmp_path / SERVING).read_text() == f"{os.getpid()}\n"


def test_a_process_that_is_gone_is_not_named(tmp_path: Path) -> None:
    (tmp_path / SERVING).write_text("999999999\n")
    with serving(tmp_path, shared=True):
        (tmp_path / SERVING).write_text("999999999\n")

        with pytest.raises(FolderInUse, match="another process serves"), serving(tmp_path, shared=False):
            pass
