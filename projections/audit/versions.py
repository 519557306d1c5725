"""The games of two versions of a family, whichever aliases they were behind, in any span of time."""

from collections.abc import Collection
from typing import NamedTuple

from ledger.entries import Entry
from ledger.events import GameFinished
from ledger.evidence import Arm, Evidence, Rule, RuleVerdict, Statistics, Tally
from ledger.store import Ledger
from ledger.vocabulary import Family, PlayerKind
from projections.decision.exact_test import boschloo_p
from projections.decision.look import measure, verdicts
from projections.decision.rules import decide
from projections.fold import Progress, walk
from projections.read_models.counting import NO_GAMES, is_evidence, one_more


class Compared(NamedTuple):
    """The second version in B's place against the first in Production's."""

    production: Arm
    b: Arm
    statistics: Statistics
    verdicts: tuple[RuleVerdict, ...]


def compare_versions(
    ledger: Ledger,
    family: Family,
    pair: tuple[int, int],
    rule: Rule,
    *,
    since_us: int | None = None,
    until_us: int | None = None,
    player_kinds: Collection[PlayerKind],
    progress: Progress | None = None,
) -> Compared:
    """Compare finished games that are evidence, ended from `since_us` on and before `until_us`.

    Raises ProjectionError for an event that cannot be read, RuleError for a rule that nothing can be decided by.
    """
    games: dict[int, Tally] = dict.fromkeys(pair, NO_GAMES)

    def take(event: GameFinished, entry: Entry) -> None:
        if event.model_type != family or event.model_version not in games or not is_evidence(event):
            return
        early = since_us is not None and entry.recorded_us < since_us
        late = until_us is not None and entry.recorded_us >= until_us
        if event.player_kind in player_kinds and not (early or late):
            games[event.model_version] = one_more(games[event.model_version], event)

    walk(ledger, "the comparison", {GameFinished: take}, progress=progress)
    production, b = (Arm(version=version, window=games[version], own=games[version]) for version in pair)
    evidence = Evidence(after_position=0, through_position=ledger.head().position, production=production, b=b)
    statistics = measure(evidence, rule, boschloo_p, 0.0)
    return Compared(production, b, statistics, verdicts(evidence, rule, decide(evidence, rule)))
