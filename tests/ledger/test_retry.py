import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.errors import ConflictError, DuplicateError, OvertakenError
from ledger.retry import ATTEMPTS_MAX, PAUSE_SECONDS_MAX, retry
from ledger.store import Ledger
from tests.builders import training_completed


def overtaken(times: int, error: Exception) -> Callable[[], int]:
    """An attempt that is overtaken so often; it returns the number of the attempt that was not."""
    numbers = iter(range(1, times + 2))

    def attempt() -> int:
        number = next(numbers)
        if number <= times:
            raise error
        return number

    return attempt


@pytest.mark.parametrize("times", [0, 1, ATTEMPTS_MAX - 1])
@pytest.mark.parametrize("error", [ConflictError("s", 0, 1), OvertakenError("a plan was opened")])
def test_an_attempt_is_made_again_until_it_is_not_overtaken(times: int, error: Exception) -> None:
    pauses: list[float] = []

    assert retry(overtaken(times, error), pause=pauses.append, rng=random.Random(1)) == times + 1

    assert len(pauses) == times
    assert all(0 <= seconds <= PAUSE_SECONDS_MAX for seconds in pauses)


def test_attempts_come_to_an_end() -> None:
    pauses: list[float] = []

    with pytest.raises(ConflictError, match="at version 1, not 0"):
        retry(overtaken(ATTEMPTS_MAX, ConflictError("s", 0, 1)), pause=pauses.append)

    assert sum(pauses) < ATTEMPTS_MAX * PAUSE_SECONDS_MAX


def test_another_error_is_raised_at_once() -> None:
    pauses: list[float] = []

    with pytest.raises(DuplicateError):
        retry(overtaken(1, DuplicateError("id", 1)), pause=pauses.append)

    assert pauses == []


def test_callers_that_meet_at_one_stream_all_get_in(ledger: Ledger) -> None:
    def append(_number: int) -> int:
        return retry(lambda: ledger.append("s", [training_completed()], ledger.version("s"))).version

    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(append, range(64)))

    assert sorted(versions) == list(range(1, 65))
