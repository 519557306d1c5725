import threading

import pytest

from gameplay.serving.stop_deadline import StopDeadline
from tests.patience import PATIENCE_SECONDS


def test_a_stop_that_hangs_is_ended_and_what_hangs_is_named(caplog: pytest.LogCaptureFixture) -> None:
    release, ended, ends = threading.Event(), threading.Event(), []

    def wait_for_ever() -> None:
        release.wait(PATIENCE_SECONDS)

    def end() -> None:
        ends.append(caplog.text)
        ended.set()

    hanging = threading.Thread(target=wait_for_ever, name="asks-the-registry")
    hanging.start()
    deadline = StopDeadline(seconds=0.0, end=end)
    deadline.arm()
    deadline.arm()

    assert ended.wait(PATIENCE_SECONDS)
    assert len(ends) == 1
    assert "asks-the-registry in " in ends[0]
    release.set()
    hanging.join()


def test_nothing_is_ended_before_a_stop_is_asked_for() -> None:
    StopDeadline(seconds=0.0, end=lambda: pytest.fail("it was not asked for"))
