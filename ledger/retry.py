"""One way to meet other processes at a stream: look again, decide again, append again, up to a limit."""

import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from ledger.errors import OvertakenError

ATTEMPTS_MAX: Final = 20
PAUSE_SECONDS_MAX: Final = 0.1
_FIRST_PAUSE_SECONDS = 0.001

Outcome = TypeVar("Outcome")


def retry(
    attempt: Callable[[], Outcome],
    *,
    pause: Callable[[float], object] = time.sleep,
    rng: random.Random | None = None,
) -> Outcome:
    """What `attempt` returns, made again for as long as it raises OvertakenError, ATTEMPTS_MAX times in all.

    An attempt reads the stream, decides and appends at the version it has read; it has to read each time.
    Raises the last OvertakenError (a second or two after the first), and whatever else the attempt raises.
    """
    draw = (rng or random.SystemRandom()).uniform
    longest = _FIRST_PAUSE_SECONDS
    for _ in range(ATTEMPTS_MAX - 1):
        try:
            return attempt()
        except OvertakenError:
            # Callers that met once would meet again if they all came back at once.
            pause(draw(0, longest))
            longest = min(2 * longest, PAUSE_SECONDS_MAX)
    return attempt()
