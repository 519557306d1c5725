"""What the players did, as rows to learn from: a fold of the ledger's games.

A row is what a model would have seen before a round, its target what the player then did. The target is the
player's move, no matter who the opponent was, so every family learns from the games of all policies and bots.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from gameplay.game.features import FEATURE_NAMES, features
from gameplay.game.rounds import LOOK_BACK, PastRound, past_round
from gameplay.models.artifacts import Source
from gameplay.models.errors import TrainingError
from ledger.events import Event, GameAbandoned, GameFinished, GameStarted, RoundPlayed, wire_name
from ledger.store import Ledger
from ledger.vocabulary import MOVES

_READ: Final = {wire_name(event) for event in (GameStarted, RoundPlayed, GameFinished, GameAbandoned)}

TRAINING_SHARE: Final = 0.6
VALIDATION_SHARE: Final = 0.2


class Part(NamedTuple):
    """Some rows of a data set: features (n, 50), targets (n,), and who played in each row, and against whom."""

    rows: npt.NDArray[np.float32]
    targets: npt.NDArray[np.int64]
    opponents: npt.NDArray[np.str_]
    policies: npt.NDArray[np.str_]


class Split(NamedTuple):
    """The first 60 % of the games in time, the next 20 % and the last 20 %; a game is in one part only."""

    training: Part
    validation: Part
    holdout: Part


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Rows in order of their games' starts, then of rounds.

    `rows` (n, 50) float32; `targets` (n,) the player's move as its index in MOVES; `games` (n,) the number of
    the row's game, 0 and up, not falling; `positions` (n,) where the row's round stands in the ledger;
    `opponents` the player of each game: a bot's name, `human` or `script`; `policies` who played against them.
    """

    rows: npt.NDArray[np.float32]
    targets: npt.NDArray[np.int64]
    games: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    opponents: tuple[str, ...]
    policies: tuple[str, ...]
    source: Source

    def split(self) -> Split:
        """Sixty, twenty and twenty per cent of the games, in time. Raises TrainingError when one is empty."""
        count = len(self.opponents)
        cuts = (round(count * TRAINING_SHARE), round(count * (TRAINING_SHARE + VALIDATION_SHARE)))
        first, second = (int(row) for row in np.searchsorted(self.games, cuts))
        return self._checked(
            self._part(slice(first)), self._part(slice(first, second)), self._part(slice(second, None))
        )

    def folds(self, count: int) -> Iterator[Split]:
        """Each of `count` folds of whole games once as the hold-out; the next one is the validation part.

        The folds take turns with the games, so that each has early ones and late ones. Raises TrainingError when
        a part is empty.
        """
        assert count >= 3, "one fold to learn from, one to stop by, one to measure on"
        fold = self.games % count
        for number in range(count):
            holdout, validation = fold == number, fold == (number + 1) % count
            parts = (self._part(mask) for mask in (~(holdout | validation), validation, holdout))
            yield self._checked(*parts)

    def rows_after(self, position: int) -> int:
        """How many rows are of rounds that were played after a position."""
        return int((self.positions > position).sum())

    def _checked(self, *parts: Part) -> Split:
        if not all(len(part.rows) for part in parts):
            count = len(self.opponents)
            raise TrainingError(f"{count} games with {len(self.rows)} rows are too few to be split")
        return Split(*parts)

    def _part(self, chosen: "slice | npt.NDArray[np.bool_]") -> Part:
        games = self.games[chosen]
        opponents, policies = (np.array(names, dtype=str)[games] for names in (self.opponents, self.policies))
        return Part(self.rows[chosen], self.targets[chosen], opponents, policies)


def read_dataset(
    ledger: Ledger,
    *,
    after: int = 0,
    through: int | None = None,
    since_us: int = 0,
    legacy_stride: int = 1,
    limit_games: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Dataset:
    """The rows of all games that started after a position and at or after a time, up to a position.

    Test games and opening rounds are left out. Of the games of each bot, and of those of all scripts together, one
    in `legacy_stride` is taken; people's are always. `limit_games` takes only the first so many. `progress` hears
    the position reached, once a page. The same arguments, with `through` given, give the same rows, bit for bit,
    for ever.
    """
    through = ledger.head().position if through is None else through
    taking = _Taking(since_us, legacy_stride, limit_games)
    for page in ledger.pages(after, through):
        for entry in page:
            if entry.type in _READ:
                taking.evolve(ledger.decode(entry), entry.position, entry.recorded_us)
        if progress:
            progress(page[-1].position)
    return taking.dataset(after, through)


@dataclass
class _Game:
    opponent: str
    policy: str
    past: list[PastRound] = field(default_factory=list)
    rows: list[npt.NDArray[np.float32]] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)


@dataclass
class _Taking:
    """The fold: what it keeps of a game that has ended is its rows."""

    since_us: int
    legacy_stride: int
    limit_games: int | None
    games: list[_Game] = field(default_factory=list)
    running: dict[str, _Game] = field(default_factory=dict)
    first_position: int | None = None
    seen: Counter[str] = field(default_factory=Counter)

    def evolve(self, event: Event, position: int, recorded_us: int) -> None:
        match event:
            case GameStarted():
                if recorded_us >= self.since_us and self._takes(event):
                    self.first_position = self.first_position or position
                    self.running[event.game_id] = game = _Game(_opponent(event), event.policy)
                    self.games.append(game)
            case RoundPlayed():
                if game_of := self.running.get(event.game_id):
                    _play(game_of, event, position)
            case GameFinished() | GameAbandoned():
                if ended := self.running.pop(event.game_id, None):
                    ended.past.clear()
            case _:
                raise AssertionError(f"{type(event).__name__} is not read here")

    def _takes(self, event: GameStarted) -> bool:
        if not event.in_metrics or (self.limit_games is not None and len(self.games) >= self.limit_games):
            return False
        if event.player_kind == "human":
            return True
        # A script has a new id in every session: counted by it, each of its games would be a first one.
        player = _opponent(event)
        self.seen[player] += 1
        return (self.seen[player] - 1) % self.legacy_stride == 0

    def dataset(self, after: int, through: int) -> Dataset:
        games = [game for game in self.games if game.rows]
        rows = np.array(list(_rows(games)), dtype=np.float32).reshape(-1, len(FEATURE_NAMES))
        targets = np.array([target for game in games for target in game.targets], dtype=np.int64)
        numbers = np.repeat(np.arange(len(games)), [len(game.rows) for game in games]).astype(np.int64)
        positions = np.array([position for game in games for position in game.positions], dtype=np.int64)
        source = Source(
            after_position=self.first_position - 1 if self.first_position else after,
            through_position=through,
            since_us=self.since_us,
            legacy_stride=self.legacy_stride,
            limit_games=self.limit_games,
            games=len(games),
            rows=len(rows),
            rows_digest=sha256(rows.tobytes() + targets.tobytes() + numbers.tobytes()).hexdigest(),
        )
        return Dataset(
            rows=rows,
            targets=targets,
            games=numbers,
            positions=positions,
            opponents=tuple(game.opponent for game in games),
            policies=tuple(game.policy for game in games),
            source=source,
        )


def _play(game: _Game, event: RoundPlayed, position: int) -> None:
    if len(game.past) >= LOOK_BACK:
        game.rows.append(features(game.past, event.points))
        game.targets.append(MOVES.index(event.user_move))
        game.positions.append(position)
    game.past.append(past_round(event))


def _rows(games: list[_Game]) -> Iterator[npt.NDArray[np.float32]]:
    return (row for game in games for row in game.rows)


def _opponent(event: GameStarted) -> str:
    # A person's id does not belong in a metric's name; bots are compared by their names.
    return event.player_id if event.player_kind == "bot" else event.player_kind
