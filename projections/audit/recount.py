"""Counting games again between two positions, each held against its own rounds, and each round against its moves.

No projection has a part in it, and nothing is taken over: what beats what and what a round is worth is written
down here once more, so that a fault or a change in the game's code shows as a contradiction.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from msgspec import Struct, field, structs

from ledger.entries import Entry
from ledger.events import (
    AliasesAssigned,
    Event,
    GameAbandoned,
    GameFinished,
    GameStarted,
    InferenceFellBack,
    PredictionMade,
    RoundPlayed,
)
from ledger.evidence import Tally
from ledger.store import Ledger
from ledger.streams import is_shadow
from ledger.vocabulary import PLAYED_ALIASES, Family, Move, Result, Winner
from projections.fold import Progress, Take, walk
from projections.read_models.counting import NO_GAMES, Pair
from projections.read_models.standings import Record


class Span(NamedTuple):
    """What a decision says it was counted between: positions above `after`, up to `through`.

    With a `pair`, (Production, B), only games count that began within it and with these two versions.
    """

    family: Family
    after: int
    through: int
    pair: Pair | None = None


class SpanCount(Struct):
    """What a span holds, by the alias that a game began with and by the version that played."""

    swaps_before: int
    tallies: dict[str, Tally] = field(default_factory=dict)
    kinds: dict[str, dict[str, Tally]] = field(default_factory=lambda: {alias: {} for alias in PLAYED_ALIASES})
    versions: dict[str, list[int]] = field(default_factory=lambda: {alias: [] for alias in PLAYED_ALIASES})
    records: dict[int, Record] = field(default_factory=dict)
    fallbacks: dict[str, int] = field(default_factory=dict)
    splits: dict[float, dict[str, int]] = field(default_factory=dict)


class GameProblem(NamedTuple):
    """A round that is not what its moves give, or an end that is not what its game's start and rounds say."""

    position: int
    game_id: str
    family: str
    problem: str


class Recount(NamedTuple):
    """The counts of all spans asked for, and the games that contradict themselves."""

    counts: dict[Span, SpanCount]
    problems: list[GameProblem]


def recount(
    ledger: Ledger, spans: Iterable[Span], progress: Progress | None = None, *, through: int | None = None
) -> Recount:
    """Count every span in one pass over the log; games that no span holds are looked at all the same.

    Nothing above position `through` is read. Raises ProjectionError for an event that cannot be read.
    """
    counter = _Counter(set(spans))
    walk(ledger, "the recount", counter.takers, through=through, progress=progress)
    counter.reach(counter.last_position + 1)
    return Recount(counter.counts, counter.problems)


class _Game(Struct, gc=False):
    position: int
    started: GameStarted
    is_human: bool
    user_score_tenths: int = 0
    bot_score_tenths: int = 0
    rounds: int = 0
    fallback_affected: bool = False
    reported: bool = False
    """Its first contradiction is reported; those that follow from it would only hide other games."""


class _Begin(NamedTuple):
    """Where spans begin that share a running count, and the pair that alone counts in them."""

    after: int
    pair: Pair | None

    def holds(self, game: _Game) -> bool:
        if self.pair is None:
            return True
        assignment = game.started.assignment
        played = assignment and (assignment.Production, assignment.B)
        return game.position > self.after and played == self.pair


class _Counter:
    def __init__(self, spans: set[Span]) -> None:
        self.counts: dict[Span, SpanCount] = {}
        self.problems: list[GameProblem] = []
        self.last_position = max((span.through for span in spans), default=0)
        # Many spans begin at one swap: they share a running count, of which each takes a copy at its end.
        last_use: dict[tuple[Family, _Begin], int] = {}
        for span in spans:
            key = span.family, _Begin(span.after, span.pair)
            last_use[key] = max(last_use.get(key, 0), span.through)
        self._last_use = last_use
        self._opening = sorted(last_use, key=lambda key: -key[1].after)
        self._closing = sorted(spans, key=lambda span: -span.through)
        self._running: dict[str, dict[_Begin, SpanCount]] = {}
        self._swaps: dict[str, int] = {}
        self._games: dict[str, _Game] = {}
        # Most events are predictions, and each is in several spans: counted here, they are added where one begins
        # or ends.
        self._predictions: Counter[tuple[Family, int, bool, bool]] = Counter()
        self._next_position: float = 0
        self.takers: Mapping[type[Event], Take] = {
            GameStarted: self._start,
            RoundPlayed: self._play,
            PredictionMade: self._predict,
            InferenceFellBack: self._fall_back,
            GameFinished: self._finish,
            GameAbandoned: self._abandon,
            AliasesAssigned: self._swap,
        }

    def reach(self, position: int) -> None:
        """Close the spans that end before `position`, and open those that begin before it."""
        if position <= self._next_position:
            return
        self._add_predictions()
        while self._opening and self._opening[-1][1].after < position:
            family, begin = self._opening.pop()
            self._running.setdefault(family, {})[begin] = SpanCount(self._swaps.get(family, 0))
        while self._closing and self._closing[-1].through < position:
            span = self._closing.pop()
            begin, running = _Begin(span.after, span.pair), self._running.get(span.family, {})
            self.counts[span] = _copy(running.get(begin) or SpanCount(self._swaps.get(span.family, 0)))
            if self._last_use[span.family, begin] == span.through:
                running.pop(begin, None)
        ahead = (*(key[1].after for key in self._opening[-1:]), *(span.through for span in self._closing[-1:]))
        self._next_position = min(ahead, default=math.inf)

    def _add_predictions(self) -> None:
        for (family, version, right, human), made in self._predictions.items():
            for count in self._running.get(family, {}).values():
                record = count.records.setdefault(version, Record())
                record.predictions += made
                record.correct += made * right
                record.human_predictions += made * human
                record.human_correct += made * (human and right)
        self._predictions.clear()

    def _start(self, event: GameStarted, entry: Entry) -> None:
        self.reach(entry.position)
        self._games[event.game_id] = _Game(entry.position, event, event.player_kind == "human")
        self._assign(event)

    def _predict(self, event: PredictionMade, entry: Entry) -> None:
        self.reach(entry.position)
        if event.in_metrics and not is_shadow(entry.stream):
            game = self._games.get(event.game_id)
            human = game is None or game.is_human
            self._predictions[event.model_type, event.model_version, event.predicted == event.actual, human] += 1

    def _fall_back(self, event: InferenceFellBack, _entry: Entry) -> None:
        if event.served and (game := self._games.get(event.game_id)):
            game.fallback_affected = True

    def _abandon(self, event: GameAbandoned, _entry: Entry) -> None:
        self._games.pop(event.game_id, None)

    def _swap(self, event: AliasesAssigned, entry: Entry) -> None:
        self.reach(entry.position)
        self._swaps[event.model_type] = self._swaps.get(event.model_type, 0) + event.swapped

    def _assign(self, event: GameStarted) -> None:
        if event.alias is None or not event.in_metrics:
            return
        probability = event.assignment_probability
        b_share = round(probability if event.alias == "B" else 1 - probability, 9)
        for count in self._running.get(event.model_type, {}).values():
            if event.swap_count == count.swaps_before:
                split = count.splits.setdefault(b_share, dict.fromkeys(PLAYED_ALIASES, 0))
                split[event.alias] += 1

    def _play(self, event: RoundPlayed, entry: Entry) -> None:
        game = self._games.get(event.game_id)
        if game is None:
            return
        deltas = round_deltas(event)
        game.user_score_tenths += deltas[0]
        game.bot_score_tenths += deltas[1]
        game.rounds += 1
        if not game.reported and (problem := _odd_round(game, event, deltas)):
            game.reported = True
            self._complain(entry, event, problem)

    def _finish(self, event: GameFinished, entry: Entry) -> None:
        self.reach(entry.position)
        game = self._games.pop(event.game_id, None)
        if game is None:
            self._complain(entry, event, "it never started")
            return
        if not game.reported and (problem := _odd_end(game, event)):
            self._complain(entry, event, problem)
        started = game.started
        if started.alias is None or started.model_version is None or not started.in_metrics:
            return
        for begin, count in self._running.get(started.model_type, {}).items():
            if started.swap_count != count.swaps_before or not begin.holds(game):
                continue
            if game.fallback_affected:
                count.fallbacks[started.alias] = count.fallbacks.get(started.alias, 0) + 1
            else:
                _count(count, started, started.alias, started.model_version, won=event.winner == "bot")

    def _complain(self, entry: Entry, event: RoundPlayed | GameFinished, problem: str) -> None:
        self.problems.append(GameProblem(entry.position, event.game_id, event.model_type, problem))


def _count(count: SpanCount, started: GameStarted, alias: str, version: int, *, won: bool) -> None:
    count.tallies[alias] = _one_more(count.tallies.get(alias, NO_GAMES), won)
    kinds = count.kinds[alias]
    kinds[started.player_kind] = _one_more(kinds.get(started.player_kind, NO_GAMES), won)
    if version not in count.versions[alias]:
        count.versions[alias] = sorted([*count.versions[alias], version])
    record = count.records.setdefault(version, Record())
    record.games += 1
    record.wins += won
    if started.player_kind == "human":
        record.human = _one_more(record.human, won)


def _one_more(tally: Tally, won: bool) -> Tally:
    return Tally(games=tally.games + 1, wins=tally.wins + won)


_BEATS: Final[dict[Move, Move]] = {"rock": "scissors", "paper": "rock", "scissors": "paper"}
_DRAW_TENTHS: Final = 5


def round_result(user_move: Move, bot_move: Move) -> Result:
    """Who wins, as the player sees it."""
    if user_move == bot_move:
        return "draw"
    return "win" if _BEATS[user_move] == bot_move else "lose"


def round_deltas(event: RoundPlayed) -> tuple[int, int]:
    """What a round gives to player and bot, in tenths: the winner's move's points, or half a point to both."""
    match round_result(event.user_move, event.bot_move):
        case "win":
            return getattr(event.points, event.user_move), 0
        case "lose":
            return 0, getattr(event.points, event.bot_move)
        case "draw":
            return _DRAW_TENTHS, _DRAW_TENTHS


_OF_A_ROUND: Final = (
    "round",
    "result",
    "user_delta_tenths",
    "bot_delta_tenths",
    "user_score_tenths",
    "bot_score_tenths",
)


def _odd_round(game: _Game, event: RoundPlayed, deltas: tuple[int, int]) -> str | None:
    """What a round says otherwise than its moves and the rounds before it; `game` has taken it in already."""
    said = (
        event.round,
        event.result,
        event.user_delta_tenths,
        event.bot_delta_tenths,
        event.user_score_tenths,
        event.bot_score_tenths,
    )
    result = round_result(event.user_move, event.bot_move)
    given = (game.rounds, result, *deltas, game.user_score_tenths, game.bot_score_tenths)
    if said == given:
        return None
    name, value = next(
        (name, one) for name, one in zip(_OF_A_ROUND, given, strict=True) if getattr(event, name) != one
    )
    moves = f"{event.user_move} against {event.bot_move}"
    return f"round {game.rounds}, {moves}, says {name} = {getattr(event, name)} where it has to be {value}"


def _odd_end(game: _Game, event: GameFinished) -> str | None:
    scores = (game.user_score_tenths, game.bot_score_tenths)
    if (event.user_score_tenths, event.bot_score_tenths) != scores:
        said = f"{event.user_score_tenths}:{event.bot_score_tenths}"
        return f"its end says {said} (tenths), its rounds say {scores[0]}:{scores[1]}"
    if event.winner != (winner := _winner(*scores)):
        return f"its end says that the winner is {event.winner}, its rounds say {winner}"
    if event.rounds != game.rounds:
        return f"its end says {event.rounds} rounds, there are {game.rounds}"
    if event.fallback_affected != game.fallback_affected:
        recorded, found = event.fallback_affected, game.fallback_affected
        return f"its end says fallback_affected = {recorded}, its rounds say {found}"
    for name in ("model_type", "alias", "model_version", "swap_count", "in_metrics"):
        said, began = getattr(event, name), getattr(game.started, name)
        if said != began:
            return f"its end says {name} = {said}, its start says {began}"
    return None


def _winner(user_tenths: int, bot_tenths: int) -> Winner:
    if user_tenths == bot_tenths:
        return "tie"
    return "user" if user_tenths > bot_tenths else "bot"


def _copy(count: SpanCount) -> SpanCount:
    records = {version: structs.replace(record) for version, record in count.records.items()}
    return SpanCount(
        count.swaps_before,
        dict(count.tallies),
        {alias: dict(tallies) for alias, tallies in count.kinds.items()},
        {alias: list(versions) for alias, versions in count.versions.items()},
        records,
        dict(count.fallbacks),
        {share: dict(games) for share, games in count.splits.items()},
    )
