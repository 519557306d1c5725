"""Games in the order in which they were assigned, for families whose rule counts them so.

Whether a game counts must not depend on how it went: quick losses would come in before slow wins. So each game
counts once it was assigned `settle_seconds` ago, with what it had come to by then; one that was still going on,
or was left, is one that the bot did not win, for ever. A window begins with the rule or with the last swap,
whichever came later, and where the rule asks for it with every change of the versions compared. Families with
another rule have none, and cost nothing.
"""

from typing import NamedTuple

from msgspec import Struct, field

from ledger.entries import Entry
from ledger.events import AliasesAssigned, GameFinished, GameStarted, RuleSet
from ledger.evidence import Rule, Tally
from ledger.vocabulary import FAMILIES, CountedPlayers, EvidenceWindow
from projections.projection import Projection, on
from projections.read_models.counting import (
    NO_GAMES,
    Pair,
    is_assigned_since,
    is_assigned_to_pair,
    is_evidence,
    pair_after,
)

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
    evidence: EvidenceWindow = "since_swap"
    players: CountedPlayers = "all"
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

    def start(self, event: GameStarted, started_us: int, alias: str) -> None:
        """Take in a game that was given to an alias in this window, if the rule counts its player."""
        self.settle(started_us)
        if event.model_version is not None and (self.players == "all" or event.player_kind == self.players):
            self.recent[event.game_id] = AssignedGame(started_us, alias, event.model_version)

    def finish(self, event: GameFinished, finished_us: int) -> None:
        """Take in how a game ended, unless it is settled already."""
        self.settle(finished_us)
        if (game := self.recent.get(event.game_id)) is not None:
            game.won = event.winner == "bot"
            game.counts = is_evidence(event)

    def again(self, since_position: int) -> "AssignedGames":
        """The same rule's window, begun at another position."""
        return AssignedGames(since_position, self.settle_us, self.evidence, self.players)


def window_of(rule: Rule, since_position: int) -> AssignedGames | None:
    """A rule's window, begun at a position; None for one that counts finished games."""
    if rule.settle_seconds is None:
        return None
    return AssignedGames(since_position, rule.settle_seconds * SECOND_US, rule.evidence, rule.players)


class State(Struct):
    """The window of each family whose rule has one; and every family's number of swaps and version pair."""

    windows: dict[str, AssignedGames] = field(default_factory=dict)
    swap_counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAMILIES, 0))
    pairs: dict[str, Pair] = field(default_factory=dict)


def _count(settled: Settled, game: AssignedGame) -> None:
    if game.counts:
        settled.aliases[game.alias] = _one_more(settled.aliases.get(game.alias, NO_GAMES), game)
        settled.versions[game.version] = _one_more(settled.versions.get(game.version, NO_GAMES), game)


def _one_more(tally: Tally, game: AssignedGame) -> Tally:
    return Tally(games=tally.games + 1, wins=tally.wins + game.won)


def _game_started(state: State, event: GameStarted, entry: Entry) -> None:
    window = state.windows.get(event.model_type)
    if window is None or event.alias is None:
        return
    swap_count = state.swap_counts[event.model_type]
    if window.evidence == "version_pair":
        counts = is_assigned_to_pair(event, swap_count, state.pairs.get(event.model_type))
    else:
        counts = is_assigned_since(event, swap_count)
    if counts:
        window.start(event, entry.recorded_us, event.alias)


def _game_finished(state: State, event: GameFinished, entry: Entry) -> None:
    if (window := state.windows.get(event.model_type)) is not None:
        window.finish(event, entry.recorded_us)


def _rule_set(state: State, event: RuleSet, entry: Entry) -> None:
    if not event.restarts_window:
        return
    if (window := window_of(event.rule, entry.position)) is not None:
        state.windows[event.model_type] = window
    else:
        state.windows.pop(event.model_type, None)


def _aliases_assigned(state: State, event: AliasesAssigned, entry: Entry) -> None:
    family, pair = event.model_type, pair_after(event)
    changed = pair != state.pairs.get(family)
    state.pairs[family] = pair
    state.swap_counts[family] += event.swapped
    window = state.windows.get(family)
    if window is not None and (event.swapped or (changed and window.evidence == "version_pair")):
        state.windows[family] = window.again(entry.position)


def projection() -> Projection[State]:
    """The games in the order in which they were assigned."""
    handlers = (
        on(GameStarted, _game_started),
        on(GameFinished, _game_finished),
        on(RuleSet, _rule_set),
        on(AliasesAssigned, _aliases_assigned),
    )
    return Projection("assigned_games", 2, State, handlers)
