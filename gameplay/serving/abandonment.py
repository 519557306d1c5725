"""Close idle games, in batches, by a clock that is never set."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gameplay.game.games import decide_abandoned, fold
from ledger.appends import Append
from ledger.errors import ConflictError, LedgerError, UnreadableEventError
from ledger.store import Ledger
from ledger.streams import game_stream
from projections.read_models.all import ReadModels

BATCH_GAMES = 200


class _Mark(NamedTuple):
    """How far the ledger was at a time of the steady clock."""

    seconds: float
    position: int


class Abandonment:
    """Closes every game whose last event lies before the position at which the ledger was `idle_seconds` ago.

    An event's own stamp says nothing about how long ago it was: where the clock was years ahead for one event, all
    that come later have its stamp. The marks begin with this process, so idle time runs from its start at the
    earliest: until then no player could play on.
    """

    def __init__(
        self, ledger: Ledger, read_models: ReadModels, *, idle_seconds: int, steady: Callable[[], float]
    ) -> None:
        self._ledger = ledger
        self._read_models = read_models
        self._idle_seconds = idle_seconds
        self._steady = steady
        self._marks: deque[_Mark] = deque()

    def mark(self) -> None:
        """Note how far the ledger is now."""
        with self._read_models.projector.current() as position:
            self._marks.append(_Mark(self._steady(), position))

    def run(self, is_ending: Callable[[], bool] = lambda: False) -> int:
        """Close what is idle, until the process ends; returns how many games were closed.

        The time that is recorded is what is certain: a game may have been idle for a little longer. Raises
        UnreadableEventError for the first game that holds such an event, after the others are closed.
        """
        self.mark()
        before = self._boundary()
        if before is None:
            return 0
        idle_seconds = int(self._steady() - before.seconds)
        idle = self._untouched_since(before.position)
        closed = 0
        unreadable: list[UnreadableEventError] = []
        for start in range(0, len(idle), BATCH_GAMES):
            if is_ending():
                break
            appends: list[Append] = []
            for game_id in idle[start : start + BATCH_GAMES]:
                try:
                    appends += self._appends_of(game_id, before.position, idle_seconds)
                except UnreadableEventError as error:
                    unreadable.append(error)
            closed += self._close(appends)
        if unreadable:
            raise unreadable[0]
        return closed

    def _boundary(self) -> _Mark | None:
        """The newest mark that is old enough; those before it are of no use any more."""
        latest_seconds = self._steady() - self._idle_seconds
        while len(self._marks) > 1 and self._marks[1].seconds <= latest_seconds:
            self._marks.popleft()
        return self._marks[0] if self._marks[0].seconds <= latest_seconds else None

    def _untouched_since(self, position: int) -> list[str]:
        with self._read_models.projector.current():
            games = self._read_models.open_games.state.games
            return [game_id for game_id, game in games.items() if game.last_position <= position]

    def _close(self, appends: Sequence[Append]) -> int:
        outcomes = self._ledger.append_all(appends) if appends else []
        for outcome in outcomes:
            # A conflict is a player who has just played on.
            if isinstance(outcome, LedgerError) and not isinstance(outcome, ConflictError):
                raise outcome
        return sum(not isinstance(outcome, LedgerError) for outcome in outcomes)

    def _appends_of(self, game_id: str, position: int, idle_seconds: int) -> list[Append]:
        """None for a game in which something has happened since: many batches may have come before."""
        stream = game_stream(game_id)
        entries = self._ledger.read_stream(stream)
        if entries[-1].position > position:
            return []
        game = fold([self._ledger.decode(entry) for entry in entries])
        return [self._ledger.prepare(stream, [decide_abandoned(game, idle_seconds)], game.version)]
