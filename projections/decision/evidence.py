"""The evidence for one decision, as integers, from a family's windows and promotion state."""

from collections.abc import Mapping

from ledger.events import Assignment
from ledger.evidence import Arm, Counted, Evidence, Rule, Side, Tally, TallyByKind, Windows
from ledger.vocabulary import PLAYED_ALIASES, PLAYER_KINDS, CountedPlayers, PlayedAlias
from projections.read_models.assigned_games import AssignedGames
from projections.read_models.counting import NO_GAMES
from projections.read_models.standings import PromotionState
from projections.read_models.tickers import Window
from projections.read_models.version_pairs import PairWindow


def gather_for(
    rule: Rule,
    window: Window,
    pair: PairWindow,
    promotion: PromotionState,
    assignment: Assignment,
    through_position: int,
    decided_us: int,
    assigned: AssignedGames | None,
) -> Evidence:
    """The evidence as the rule counts it; `assigned` are the games of a rule that counts them as assigned."""
    if rule.settle_seconds is not None:
        assert assigned is not None, "the games of a rule with settle_seconds are kept since it was set"
        return gather_settled(assigned, assignment, through_position, decided_us)
    if rule.evidence == "version_pair":
        return gather_pair(pair, assignment, through_position, rule.players)
    return gather(window, promotion, assignment, through_position, rule.players)


def gather(
    window: Window,
    promotion: PromotionState,
    assignment: Assignment,
    through_position: int,
    players: CountedPlayers = "all",
) -> Evidence:
    """The evidence up to `through_position`: each alias's games since the swap, and its present version's own."""

    def arm(alias: PlayedAlias, version: int) -> Arm:
        record = promotion.record(version)
        if players == "all":
            return Arm(version=version, window=window.scores[alias], own=record.tally)
        return Arm(version=version, window=window.kinds[alias].get(players, NO_GAMES), own=record.human)

    return Evidence(
        after_position=window.since_position,
        through_position=through_position,
        production=arm("Production", assignment.Production),
        b=arm("B", assignment.B),
    )


def gather_pair(
    window: PairWindow, assignment: Assignment, through_position: int, players: CountedPlayers = "all"
) -> Evidence:
    """The evidence of the version pair: all games of its window are the two versions' own."""

    def arm(alias: PlayedAlias, version: int) -> Arm:
        kinds = window.kinds[alias]
        games = _sum(kinds) if players == "all" else kinds.get(players, NO_GAMES)
        return Arm(version=version, window=games, own=games)

    return Evidence(
        after_position=window.since_position,
        through_position=through_position,
        production=arm("Production", assignment.Production),
        b=arm("B", assignment.B),
    )


def gather_settled(
    games: AssignedGames, assignment: Assignment, through_position: int, decided_us: int
) -> Evidence:
    """What is settled at `decided_us` of the games assigned in the rule's window."""
    settled = games.settled(decided_us)

    def arm(alias: PlayedAlias, version: int) -> Arm:
        own = settled.versions.get(version, NO_GAMES)
        return Arm(version=version, window=settled.aliases.get(alias, NO_GAMES), own=own)

    return Evidence(
        after_position=games.since_position,
        through_position=through_position,
        production=arm("Production", assignment.Production),
        b=arm("B", assignment.B),
    )


def look_at_windows(window: Window, pair: PairWindow, assignment: Assignment) -> Windows:
    """The finished games in either window, by the kind of their player."""
    present = {"Production": assignment.Production, "B": assignment.B}
    return Windows(
        since_swap=Counted(
            after_position=window.since_position,
            production=_side(window.kinds["Production"], window.versions["Production"]),
            b=_side(window.kinds["B"], window.versions["B"]),
        ),
        version_pair=Counted(
            after_position=pair.since_position,
            production=_side(pair.kinds["Production"], [assignment.Production]),
            b=_side(pair.kinds["B"], [assignment.B]),
        ),
        mixed=any(set(window.versions[alias]) - {present[alias]} for alias in PLAYED_ALIASES),
    )


def _side(kinds: Mapping[str, Tally], versions: list[int]) -> Side:
    by_kind = {kind: kinds.get(kind, NO_GAMES) for kind in PLAYER_KINDS}
    return Side(versions=tuple(versions), games=TallyByKind(**by_kind))


def _sum(kinds: Mapping[str, Tally]) -> Tally:
    return Tally(
        games=sum(tally.games for tally in kinds.values()), wins=sum(tally.wins for tally in kinds.values())
    )
