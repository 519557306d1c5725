import pytest

from gameplay.serving.threads import Threads
from tests.patience import PATIENCE_SECONDS


class Panic(BaseException):
    """What an extension module raises past every `except Exception`."""


def fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("error", [RuntimeError("no"), Panic("no"), SystemExit("no")])
def test_a_thread_that_an_error_ends_is_logged_and_named(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    threads = Threads()

    threads.start("worker", lambda: fail(error)).join(PATIENCE_SECONDS)

    assert threads.died == {"worker": f"{type(error).__name__}: no"}
    assert "the thread worker died" in caplog.text
    assert "in fail" in caplog.text


def test_a_thread_that_ends_by_itself_has_not_died() -> None:
    threads = Threads()
    thread = threads.start("worker", lambda: None)
    thread.join(PATIENCE_SECONDS)

    assert (thread.name, thread.daemon, threads.died) == ("worker", True, {})
