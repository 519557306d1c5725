import pytest

from gameplay.serving.threads import Threads


class Panic(BaseException):
    """What an extension module raises past every `except Exception`."""


def fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("error", [RuntimeError("no"), Panic("no"), SystemExit("no")])
def test_a_thread_that_an_error_ends_is_logged_and_named(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    threads = Threads()

    threads.start("worker", lambda: fail(error)).join(10)

    assert threads.died == {"worker": f"{type(error).__name__}: no"}
    assert "the thread worker died" in caplog.text
    assert "in fail" in caplog.text


def test_a_thread_that_ends_by_itself_has_not_died() -> None:
    threads = Threads()
    thread = threads.start("worker", lambda: None)
    thread.join(10)

    assert (thread.name, thread.daemon, threads.died) == ("worker", True, {})
