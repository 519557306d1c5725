"""Counting again what was settled at a cycle: games in the order in which they were assigned, from raw events.

As in `recount`, no projection has a part in it. A game counts for a cycle when it was assigned in the cycle's
window and `settle_us` before it, with what it had come to within `settle_us` of its start.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct

from ledger.entries import Entry
from ledger.events import GameFinished, GameStarted
from ledger.evidence import Tally
from ledger.store import Ledger
from ledger.vocabulary import CountedPlayers, Family
from projections.fold import Progress, walk
from projections.read_models.assigned_games import Settled
from projections.read_models.counting import NO_GAMES, Pair


class RuleWindow(NamedTuple):
    """Where a rule's window begins, how many swaps the family had had, and how long a game takes to settle.

    `pair`: the two versions that alone count, for a rule that asks for them; `players`: whose games count.
    """

    family: Family
    after: int
    swaps: int
    settle_us: int
    players: CountedPlayers
    pair: Pair | None

    def holds(self, game: "_Game") -> bool:
        """Whether a game was assigned in this window."""
        of_its_players = self.players == "all" or game.player_kind == self.players
        of_its_pair = self.pair is None or game.pair == self.pair
        return game.position > self.after and game.swap_count == self.swaps and of_its_players and of_its_pair


class SettledSpan(NamedTuple):
    """What a decision says it was counted from: games assigned in a window, settled at a time."""

    window: RuleWindow
    through: int
    decided_us: int


class _Game(Struct, gc=False):
    position: int
    started_us: int
    alias: str
    version: int
    swap_count: int
    player_kind: str
    pair: Pair | None
    end_position: int = 0
    end_us: int | None = None
    won: bool = False
    fell_back: bool = False

    def ends_in_time(self, settle_us: int) -> bool:
        return self.end_us is not None and self.end_us < self.started_us + settle_us


def recount_settled(
    ledger: Ledger, spans: Iterable[SettledSpan], progress: Progress | None = None
) -> dict[SettledSpan, Settled]:
    """Count every span, in one pass over the log. Raises ProjectionError."""
    by_window: dict[RuleWindow, list[SettledSpan]] = {}
    for span in sorted(spans, key=lambda one: (one.through, one.decided_us)):
        by_window.setdefault(span.window, []).append(span)
    if not by_window:
        return {}
    games = _read_games(ledger, {window.family for window in by_window}, progress)
    counts: dict[SettledSpan, Settled] = {}
    for window, ordered in by_window.items():
        counts |= _count(games[window.family], window, ordered)
    return counts


def _read_games(ledger: Ledger, families: set[Family], progress: Progress | None) -> dict[str, list[_Game]]:
    games: dict[str, dict[str, _Game]] = {family: {} for family in families}

    def start(event: GameStarted, entry: Entry) -> None:
        if event.alias is None or event.model_version is None or not event.in_metrics:
            return  # a test's game, or one without a model
        if event.model_type in games:
            games[event.model_type][event.game_id] = _Game(
                entry.position,
                entry.recorded_us,
                event.alias,
                event.model_version,
                event.swap_count,
                event.player_kind,
                _pair(event),
            )

    def finish(event: GameFinished, entry: Entry) -> None:
        if game := games.get(event.model_type, {}).get(event.game_id):
            game.end_position, game.end_us = entry.position, entry.recorded_us
            game.won, game.fell_back = event.winner == "bot", event.fallback_affected

    walk(ledger, "the recount", {GameStarted: start, GameFinished: finish}, progress=progress)
    return {family: list(played.values()) for family, played in games.items()}


def _pair(event: GameStarted) -> Pair | None:
    return None if event.assignment is None else (event.assignment.Production, event.assignment.B)


def _count(games: Sequence[_Game], window: RuleWindow, spans: Sequence[SettledSpan]) -> dict[SettledSpan, Settled]:
    """The spans of one window, each on top of the one before; `spans` are in their order."""
    assigned = deque(game for game in games if window.holds(game))
    running, held = Settled({}, {}), deque[_Game]()
    counts = {}
    for span in spans:
        cutoff_us = span.decided_us - window.settle_us
        while assigned and assigned[0].started_us <= cutoff_us and assigned[0].position <= span.through:
            held.append(assigned.popleft())
        for _ in range(len(held)):
            game = held.popleft()
            if game.ends_in_time(window.settle_us) and game.end_position > span.through:
                held.append(game)  # its end was not seen by this look, and will be by the next
            else:
                _add(running, game, window.settle_us)
        counts[span] = Settled(dict(running.aliases), dict(running.versions))
        for game in held:
            _add(counts[span], game, 0)
    return counts


def _add(settled: Settled, game: _Game, settle_us: int) -> None:
    in_time = game.ends_in_time(settle_us)
    if in_time and game.fell_back:
        return
    won = in_time and game.won
    settled.aliases[game.alias] = _one_more(settled.aliases.get(game.alias, NO_GAMES), won)
    settled.versions[game.version] = _one_more(settled.versions.get(game.version, NO_GAMES), won)


def _one_more(tally: Tally, won: bool) -> Tally:
    return Tally(games=tally.games + 1, wins=tally.wins + won)
