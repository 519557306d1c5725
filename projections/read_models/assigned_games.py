"""Games in the order in which they were assigned, for families whose rule counts them so.

Whether a game counts must not depend on how it went: quick losses would come in before slow wins. So each game
counts once it was assigned `settle_seconds` ago, with what it had come to by then; one that was still going on,
or was left, is one that the bot did not win, for ever. A window begins with the rule or with the last swap,
whichever came later. Families with another rule have none, and cost nothing.
"""

from typing import NamedTuple

from msgspec import Struct, field

from ledger.events import AliasesAssigned, GameFinished, GameStarted, RuleSet
from ledger.evidence import Tally
from ledger.store import Entry
from ledger.vocabulary import FAMILIES
from projections.projection import Projection, on
from projections.read_models.counting import NO_GAMES, is_evidence

SECOND_US = 1_000_000


class AssignedGame(Struct, gc=False):
    """A game that is not settled yet. `counts` falls when a fallback chose a move: such a game is no evidence."""

    started_us: int
    alias: str
    version: int
    won: bool = False
    counts: bool = True


class Settled(NamedTuple):
    """Tallies by alias and by version."""

    aliases: dict[str, Tally]
    versions: dict[int, Tally]


class AssignedGames(Struct):
    """One family's window: what is settled, and the games of the last `settle_us`, oldest first."""

    since_position: int
    settle_us: int
    aliases: dict[str, Tally] = field(default_factory=dict)
    versions: dict[int, Tally] = field(default_factory=dict)
    recent: dict[str, AssignedGame] = field(default_factory=dict)

    def settled(self, now_us: int) -> Settled:
        """What is settled at a time that is not before the newest event's."""
        settled = Settled(dict(self.aliases), dict(self.versions))
        for game in self.recent.values():
            if game.started_us > now_us - self.settle_us:
                break
            _count(settled, game)
        return settled

    def settle(self, now_us: int) -> None:
        """Count the recent games that are settled by now."""
        settled = Settled(self.aliases, self.versions)
        while self.recent:
            game_id, game = next(iter(self.recent.items()))
            if game.started_us > now_us - self.settle_us:
                return
            _count(settled, game)
            del self.recent[game_id]


class State(Struct):
    """The window of each family whose rule has one; and every family's number of swaps."""

    windows: dict[str, AssignedGames] = field(default_factory=dict)
    swap_counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAMILIES, 0))


def _count(settled: Settled, game: AssignedGame) -> None:
    if game.counts:
        settled.aliases[game.alias] = _one_more(settled.aliases.get(game.alias, NO_GAMES), game)
        settled.versions[game.version] = _one_more(settled.versions.get(game.version, NO_GAMES), game)


def _one_more(tally: Tally, game: AssignedGame) -> Tally:
    return Tally(games=tally.games + 1, wins=tally.wins + game.won)


def _game_started(state: State, event: GameStarted, entry: Entry) -> None:
    window = state.windows.get(event.model_type)
    if window is None or event.alias is None or event.model_version is None or not event.in_metrics:
        return
    window.settle(entry.recorded_us)
    if event.swap_count == state.swap_counts[event.model_type]:
        window.recent[event.game_id] = AssignedGame(entry.recorded_us, event.alias, event.model_version)


def _game_finished(state: State, event: GameFinished, entry: Entry) -> None:
    window = state.windows.get(event.model_type)
    if window is None:
        return
    window.settle(entry.recorded_us)
    if (game := window.recent.get(event.game_id)) is not None:
        game.won = event.winner == "bot"
        game.counts = is_evidence(event)


def _rule_set(state: State, event: RuleSet, entry: Entry) -> None:
    if event.rule.settle_seconds is None:
        state.windows.pop(event.model_type, None)
    else:
        settle_us = event.rule.settle_seconds * SECOND_US
        state.windows[event.model_type] = AssignedGames(entry.position, settle_us)


def _aliases_assigned(state: State, event: AliasesAssigned, entry: Entry) -> None:
    if event.swapped:
        state.swap_counts[event.model_type] += 1
        if (window := state.windows.get(event.model_type)) is not None:
            state.windows[event.model_type] = AssignedGames(entry.position, window.settle_us)


def projection() -> Projection[State]:
    """The games in the order in which they were assigned."""
    handlers = (
        on(GameStarted, _game_started),
        on(GameFinished, _game_finished),
        on(RuleSet, _rule_set),
        on(AliasesAssigned, _aliases_assigned),
    )
    return Projection("assigned_games", 1, State, handlers)
