"""From a request to events: start a game, play a round.

Recent games are kept in memory. The stream's version is the lock: of two requests for one round exactly one
lands, in this process or in any other, and the loser reads on in the stream. Within a process requests for one
game take turns: what the one has played is no news of another process's to the other.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread
import numpy as np
import numpy.typing as npt

from gameplay.game.features import features
from gameplay.game.games import Game, Prediction, decide_round, evolve, fold
from gameplay.game.openings import draw_opening
from gameplay.game.players import Player, naming
from gameplay.game.rules import assigned_alias, round_points
from gameplay.refusals import Conflict, NotFound
from gameplay.serving.room import Room
from ledger.appends import Provided, Receipt
from ledger.entries import Entry
from ledger.errors import ConflictError, UnreadableEventError
from ledger.events import Assignment, Event, GameStarted, RoundPlayed
from ledger.ids import new_id
from ledger.store import Ledger
from ledger.streams import game_stream, promotion_stream
from ledger.vocabulary import MODEL_TYPE_OF_OPPONENT, Family, Move, Opponent, PlayedAlias
from ledger.writer import Writer
from projections.decision.cycle import versions_of
from projections.read_models.families import Families
from projections.read_models.standings import PromotionState

CACHED_GAMES_MAX = 10_000
SEED_BITS = 53
DECIDED_AGAIN_MAX = 3
"""How often a move is decided again because other processes have played on meanwhile."""
MODELS_SECONDS_MAX = 2.0
"""How long the start of a game waits for versions that are not in memory."""
LOOK_SECONDS = 0.001
LOOKS_MAX = 10
"""How often a start looks whether the fold has let go of the states, before a thread waits for it."""
STARTS_MAX = 20
"""Threads that read and wait for starts: a model store that hangs takes none from other requests."""

Row = npt.NDArray[np.float32]

Listen = Callable[[GameStarted, int, Row, Move], None]
"""Hears of each round that a model played, once it is durable: game, round, features, the player's move."""


class Loader(Protocol):
    """Has versions of a family in memory."""

    def is_loaded(self, family: Family, version: int) -> bool:
        """Whether it is there. Waits for nothing."""
        ...

    def make_ready(self, family: Family, versions: Iterable[int], seconds_max: float) -> object:
        """Have versions loaded, and wait for them so many seconds at most."""
        ...


class AllLoaded:
    """A loader that has every version there is."""

    def is_loaded(self, _family: Family, _version: int) -> bool:
        return True

    def make_ready(self, _family: Family, _versions: Iterable[int], _seconds_max: float) -> None:
        """They are."""


class Predictor(Protocol):
    """Whatever knows the models: one prediction for each alias, at once and without fail."""

    def predict(self, family: Family, assignment: Assignment | None, row: Row) -> tuple[Prediction, ...]:
        """What each alias of the assignment expects, for one row of features."""
        ...


@dataclass(frozen=True, kw_only=True)
class Split:
    """How games are shared between Production and B."""

    share: float = 0.5
    enabled: bool = True

    def probability(self, alias: PlayedAlias | None) -> float:
        """With which probability a game gets the alias that it got; 0 where none was to be had."""
        b_share = self.share if self.enabled else 0.0
        return {"B": b_share, "Production": 1 - b_share, None: 0.0}[alias]


class _State(NamedTuple):
    """A family's promotion state as far as a start needs it, and the stream version that it is of."""

    assignment: Assignment | None
    swap_count: int
    provided: Provided


class Play:
    """The games of one process. Used on one event loop."""

    def __init__(
        self,
        ledger: Ledger,
        writer: Writer,
        families: Families,
        room: Room,
        predictor: Predictor,
        *,
        split: Split,
        rng: random.Random | None = None,
        listen: Listen | None = None,
        models: Loader | None = None,
    ) -> None:
        self._ledger = ledger
        self._writer = writer
        self._families = families
        self._room = room
        self._predictor = predictor
        self._split = split
        self._rng = rng or random.SystemRandom()
        self._listen = listen
        self._models = models or AllLoaded()
        self._starts = anyio.CapacityLimiter(STARTS_MAX)
        self._games: OrderedDict[str, Game] = OrderedDict()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._forks = families.forks

    async def start(
        self, opponent: Opponent, player: Player, *, in_metrics: bool, name: str | None = None
    ) -> Game:
        """Start a game; alias, versions and swap count are of one position and stay with it to the end.

        They are those in memory, on the condition that nothing was appended to the family's stream since; where
        something was, a thread folds to the head first. So no process starts a game with aliases that another one
        has moved a moment ago. Versions that are not in memory are loaded before the game begins: a round without
        its model would be no evidence.

        A display name is kept in the same transaction: neither of the two happens to a client whose start
        is refused. Raises Unavailable and TooMany while too many games are open.
        """
        game_id, beside = new_id(), naming(player.player_id, name) if name else None
        stream, decide = game_stream(game_id), partial(self._decide_start, game_id, opponent, player, in_metrics)
        receipt: Receipt | None = None
        if (known := await self._known_state(opponent, player)) is not None:
            started = decide(known)
            with suppress(ConflictError):  # the family has moved on since
                receipt = await self._writer.append(stream, [started], 0, beside=beside, provided=known.provided)
        if receipt is None:
            started = decide(await anyio.to_thread.run_sync(self._state, opponent, player, limiter=self._starts))
            receipt = await self._writer.append(stream, [started], 0, beside=beside)
        self._room.began(game_id, player, receipt.last_position)
        return self._keep(Game(started))

    async def play(self, game_id: str, user_move: Move, round_no: int | None) -> tuple[Game, int]:
        """Play one round; returns the game and the round that the answer is about.

        `round_no` is the round that the client believes it plays: the last one again, with the same move, is a
        retry and gets the first answer. Raises NotFound and Conflict.
        """
        seen = (await self.find(game_id)).version
        async with self._turns.setdefault(game_id, asyncio.Lock()):
            game = await self.find(game_id)
            if round_no is None and game.version > seen:
                # Another request of this process has played the round: a double click is one round.
                raise _moved_on(game)
            return await self._play(game, user_move, round_no)

    async def find(self, game_id: str) -> Game:
        """The game, from memory or from its stream. Raises NotFound."""
        if self._forks != self._families.forks:  # what is in memory is of another history
            self._forks = self._families.forks
            self._games.clear()
        if (game := self._games.get(game_id)) is not None:
            self._games.move_to_end(game_id)
            return game
        return await self._load(game_id)

    async def _play(self, game: Game, user_move: Move, round_no: int | None) -> tuple[Game, int]:
        game_id = game.started.game_id
        if round_no is not None and round_no > game.next_round:
            game = await self._read_on(game)  # another process may have played on
        for _ in range(1 + DECIDED_AGAIN_MAX):
            if (answered := _answered(game, user_move, round_no)) is not None:
                return game, answered
            version, row = game.version, _row(game)
            events = decide_round(game, user_move, self._predictions(game, row))
            try:
                await self._writer.append(game_stream(game_id), events, version)
            except ConflictError as conflict:
                # Another process has played on. A client that says no round means the round after.
                game = await self._read_again(self._games.get(game_id, game), conflict)
            else:
                return self._landed(game, version, events, row)
        raise _moved_on(game)

    async def _known_state(self, opponent: Opponent, player: Player) -> _State | None:
        """What a start is decided from, as it is in memory; None where a thread has to wait for something.

        It need not be the head's: the append is refused where the family's stream has gone on.
        """
        if not self._room.has_place(player):
            return None
        if (family := _family(opponent)) is None:
            return _State(None, 0, ())
        self._families.check()
        state = await self._state_at_rest(family)
        return state if state is not None and self._is_loaded(family, state.assignment) else None

    async def _state_at_rest(self, family: Family) -> _State | None:
        """The family's state in memory; None while a thread goes on folding.

        A slice of a fold takes a millisecond or two. A thread that waited for it would go on to the head itself.
        """
        for look in range(LOOKS_MAX):
            if look:
                await asyncio.sleep(LOOK_SECONDS)
            with self._families.at_rest() as families:
                if families is not None:
                    return _state_of(families[family], family)
        return None

    def _state(self, opponent: Opponent, player: Player) -> _State:
        """The same at the head, once there is room for the game and its versions are loaded. Blocks."""
        self._room.require(player)
        if (family := _family(opponent)) is None:
            return _State(None, 0, ())
        with self._families.current() as families:
            state = _state_of(families[family], family)
        if state.assignment is not None:
            self._models.make_ready(family, versions_of(state.assignment).values(), MODELS_SECONDS_MAX)
        return state

    def _is_loaded(self, family: Family, assignment: Assignment | None) -> bool:
        versions = versions_of(assignment).values() if assignment is not None else ()
        return all(self._models.is_loaded(family, version) for version in versions)

    def _decide_start(
        self, game_id: str, opponent: Opponent, player: Player, in_metrics: bool, state: _State
    ) -> GameStarted:
        model_type, assignment = MODEL_TYPE_OF_OPPONENT[opponent], state.assignment
        scripted = model_type == "scripted"
        alias = None if scripted else assigned_alias(game_id, self._split.share, self._split.enabled)
        return GameStarted(
            game_id=game_id,
            player_kind=player.kind,
            player_id=player.player_id,
            policy=opponent,
            model_type=model_type,
            alias=alias,
            model_version=getattr(assignment, alias) if assignment and alias else None,
            assignment=assignment,
            swap_count=state.swap_count,
            assignment_probability=self._split.probability(alias),
            difficulty="standard",
            opening=None if scripted else draw_opening(self._rng).name,
            # No policy reads it. It stands in the hash of this event, which is public before the opening is:
            # without it ten guesses would find the opening.
            bot_seed=self._rng.getrandbits(SEED_BITS),
            in_metrics=in_metrics,
        )

    def _predictions(self, game: Game, row: Row | None) -> tuple[Prediction, ...]:
        model_type = game.started.model_type
        if model_type == "scripted" or row is None:
            return ()
        return self._predictor.predict(model_type, game.started.assignment, row)

    def _landed(self, game: Game, version: int, events: list[Event], row: Row | None) -> tuple[Game, int]:
        """The round is durable: the game in memory takes it in, and what listens hears of it."""
        played = events[0]
        assert isinstance(played, RoundPlayed)
        # It may be another by now: read again after another request's conflict.
        game = self._games.get(played.game_id, game)
        self._take_in(game, version, events)
        if game.finished is not None:
            self._room.ended(played.game_id)
        if row is not None and self._listen is not None:
            self._listen(game.started, played.round, row, played.user_move)
        return game, played.round

    async def _read_again(self, game: Game, conflict: ConflictError) -> Game:
        """The game as its stream has it, after an append at a version that was not the stream's."""
        if conflict.actual >= conflict.expected:
            return await self._read_on(game)
        # The database has lost what was in memory here: a failover, or a backup put back.
        self._games.pop(game.started.game_id, None)
        return await self._load(game.started.game_id)

    async def _read_on(self, game: Game) -> Game:
        """The game with what its stream holds beyond memory."""
        stream = game_stream(game.started.game_id)
        entries = await anyio.to_thread.run_sync(self._ledger.read_stream, stream, game.version)
        for entry, event in zip(entries, self._decoded(game.started.game_id, entries), strict=True):
            if entry.version == game.version + 1:  # or another request has taken it in meanwhile
                evolve(game, event)
        return self._keep(game)

    async def _load(self, game_id: str) -> Game:
        entries = await anyio.to_thread.run_sync(self._ledger.read_stream, game_stream(game_id))
        if not entries:
            raise NotFound(f"there is no game {game_id}")
        return self._keep(fold(self._decoded(game_id, entries)))

    def _decoded(self, game_id: str, entries: Sequence[Entry]) -> list[Event]:
        try:
            return [self._ledger.decode(entry) for entry in entries]
        except UnreadableEventError as error:
            raise Conflict(f"game {game_id} cannot be played on: {error}; start another") from error

    def _keep(self, game: Game) -> Game:
        game_id = game.started.game_id
        kept = self._games.get(game_id)
        if kept is not None and kept.version >= game.version:
            game = kept  # it has moved on while this one was being read
        self._games[game_id] = game
        self._games.move_to_end(game_id)
        while len(self._games) > CACHED_GAMES_MAX:
            self._games.popitem(last=False)
        return game

    def _take_in(self, game: Game, version: int, events: list[Event]) -> None:
        if game.version == version:
            for event in events:
                evolve(game, event)


def _moved_on(game: Game) -> Conflict:
    return Conflict(
        f"game {game.started.game_id} has moved on to round {game.next_round}: look at it and play again"
    )


def _family(opponent: Opponent) -> Family | None:
    """Whose models play; None for a script."""
    model_type = MODEL_TYPE_OF_OPPONENT[opponent]
    return None if model_type == "scripted" else model_type


def _state_of(promotion: PromotionState, family: Family) -> _State:
    provided = ((promotion_stream(family), promotion.stream_version),)
    return _State(promotion.assignment(), promotion.swap_count, provided)


def _row(game: Game) -> Row | None:
    """What a model sees of the next round; None where no model is asked."""
    if not game.needs_predictions():
        return None
    return features(game.past, round_points(game.started.game_id, game.next_round))


def _answered(game: Game, user_move: Move, round_no: int | None) -> int | None:
    """The round whose first answer a retry gets; None when the next round is to be played."""
    game_id = game.started.game_id
    if round_no is not None and round_no <= len(game.rounds):
        played = game.rounds[round_no - 1].user_move
        if played != user_move:
            raise Conflict(f"round {round_no} of game {game_id} was played with {played}")
        return round_no
    if game.finished or game.abandoned:
        raise Conflict(f"game {game_id} is {'finished' if game.finished else 'abandoned'}: start another")
    if round_no is not None and round_no != game.next_round:
        raise Conflict(f"game {game_id} is at round {game.next_round}, not {round_no}")
    return None
