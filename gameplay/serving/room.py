"""Whether there is room for another game: the limits on games that are open."""

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from gameplay.game.players import Player
from gameplay.refusals import TooMany, Unavailable
from ledger.events import GameAbandoned, GameFinished, wire_name
from ledger.store import Ledger
from ledger.streams import game_stream
from projections.read_models.all import ReadModels

OPEN_GAMES_MAX = 100_000
OPEN_GAMES_A_PLAYER_MAX = 1_000
LOOKED_AT_MAX = 500
_ENDS = (wire_name(GameFinished), wire_name(GameAbandoned))


class Room(Protocol):
    """What the start of a game asks first, and what hears of games that start and end here."""

    def has_place(self, player: Player) -> bool:
        """Whether there certainly is room, by what is in memory. Waits for nothing."""
        ...

    def require(self, player: Player) -> None:
        """Raise TooMany or Unavailable while too many games are open. Blocks."""
        ...

    def began(self, game_id: str, player: Player, position: int) -> None:
        """Take in a game that was started here, at this position."""
        ...

    def ended(self, game_id: str) -> None:
        """Take in a game whose end was seen here."""
        ...


class FoldedRoom:
    """Counts all open games, wherever they began: the projector has them."""

    def __init__(self, read_models: ReadModels, *, games_max: int = OPEN_GAMES_MAX) -> None:
        self._read_models = read_models
        self._games_max = games_max
        self._begun: deque[tuple[int, str]] = deque()
        """Position and player of the games that began here, and that no fold has come to."""

    def has_place(self, player: Player) -> bool:
        """As `Room`: of what was folded, and of what has begun here since."""
        folded, state = self._read_models.projector.position, self._read_models.open_games.state
        while self._begun and self._begun[0][0] <= folded:
            self._begun.popleft()
        of_player = sum(player_id == player.player_id for _, player_id in self._begun)
        return (
            len(state.games) + len(self._begun) < self._games_max
            and state.players.get(player.player_id, 0) + of_player < OPEN_GAMES_A_PLAYER_MAX
        )

    def require(self, player: Player) -> None:
        """As `Room`."""
        with self._read_models.projector.current():
            state = self._read_models.open_games.state
            games, of_player = len(state.games), state.players.get(player.player_id, 0)
        _require(games, self._games_max, of_player)

    def began(self, game_id: str, player: Player, position: int) -> None:  # noqa: ARG002
        """As `Room`: until the fold has come to it."""
        self._begun.append((position, player.player_id))

    def ended(self, game_id: str) -> None:
        """The fold hears of it."""


class _Begun(NamedTuple):
    player_id: str
    seconds: float


class OwnRoom:
    """Counts the games that this process began, for one that folds no games.

    Their ends may be seen by other processes alone. So a game counts until it would be abandoned, and when a limit
    is reached the ledger is asked which of the oldest have ended.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        games_max: int = OPEN_GAMES_MAX,
        idle_seconds: float,
        steady: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._games_max = games_max
        self._idle_seconds = idle_seconds
        self._steady = steady
        self._games: OrderedDict[str, _Begun] = OrderedDict()
        self._players: Counter[str] = Counter()
        self._lock = threading.Lock()

    def has_place(self, player: Player) -> bool:
        """As `Room`; False as well while a thread looks for room."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            self._drop_idle()
            return len(self._games) < self._games_max and self._players[player.player_id] < OPEN_GAMES_A_PLAYER_MAX
        finally:
            self._lock.release()

    def require(self, player: Player) -> None:
        """As `Room`."""
        with self._lock:
            self._drop_idle()
            if len(self._games) >= self._games_max:
                self._drop_ended(list(self._games)[:LOOKED_AT_MAX])
            if self._players[player.player_id] >= OPEN_GAMES_A_PLAYER_MAX:
                own = [game_id for game_id, one in self._games.items() if one.player_id == player.player_id]
                self._drop_ended(own[:LOOKED_AT_MAX])
            _require(len(self._games), self._games_max, self._players[player.player_id])

    def began(self, game_id: str, player: Player, position: int) -> None:  # noqa: ARG002
        """As `Room`."""
        with self._lock:
            self._games[game_id] = _Begun(player.player_id, self._steady())
            self._players[player.player_id] += 1

    def ended(self, game_id: str) -> None:
        """As `Room`."""
        with self._lock:
            self._drop(game_id)

    def _drop_idle(self) -> None:
        until_seconds = self._steady() - self._idle_seconds
        while self._games and next(iter(self._games.values())).seconds <= until_seconds:
            self._drop(next(iter(self._games)))

    def _drop_ended(self, game_ids: list[str]) -> None:
        by_stream = {game_stream(game_id): game_id for game_id in game_ids}
        for stream in self._ledger.streams_with(by_stream, _ENDS):
            self._drop(by_stream[stream])

    def _drop(self, game_id: str) -> None:
        if (begun := self._games.pop(game_id, None)) is not None:
            self._players[begun.player_id] -= 1
            if not self._players[begun.player_id]:
                del self._players[begun.player_id]


def _require(games: int, games_max: int, of_player: int) -> None:
    if of_player >= OPEN_GAMES_A_PLAYER_MAX:
        raise TooMany(f"this player has {of_player} open games: finish one, or wait until they are abandoned")
    if games >= games_max:
        raise Unavailable(f"{games} games are open, as many as RPS_OPEN_GAMES_MAX allows: try again later")
