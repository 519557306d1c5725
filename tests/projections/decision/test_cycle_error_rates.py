"""How often a rule errs, counted through the product's own cycle: fold, decide, fold again, without a store.

The simulation's own criteria are not in it, so that it is a second answer to the same question.
"""

import math
import random
from collections.abc import Iterator

import pytest

from ledger.entries import Entry
from ledger.events import AliasesAssigned, Event, GameFinished
from ledger.evidence import Tally
from ledger.vocabulary import PLAYED_ALIASES, Family
from projections.decision.cycle import decide_cycle
from projections.decision.estimates import Share, share_by
from projections.decision.rules import ANYTIME_SIGN, Z_TEST
from projections.projection import Tracked, readers
from projections.read_models import standings, tickers
from projections.read_models.version_pairs import PairWindow
from tests.builders import aliases_assigned, game_finished, rule

FAMILY: Family = "feedforward_nn"
GAMES_A_CYCLE = 5
ALPHA = 0.20
CYCLES_AFTER_A_SWAP = 3
"""A run goes on for so long: what comes later can make no first swap."""


class Played:
    """A family in memory, whose two versions win equally often, whichever alias they are behind."""

    def __init__(self, rule_name: str, seed: int) -> None:
        self.swaps = 0
        self._random = random.Random(seed)
        self._rule = rule(name=rule_name, alpha=str(ALPHA))
        self._promotion, self._window = Tracked(standings.projection()), Tracked(tickers.projection())
        self._readers = readers([self._promotion, self._window])
        self._position = 0
        self._fold(aliases_assigned())

    def cycle(self) -> None:
        """Some games, then a look, and what follows from it."""
        for game in self._games():
            self._fold(game)
        promotion = self._promotion.state.families[FAMILY]
        decided, planned = decide_cycle(
            FAMILY,
            promotion,
            self._window.state.windows[FAMILY],
            PairWindow(),
            self._rule,
            trigger="schedule",
            source="scheduler",
            position=self._position,
            decided_us=self._position,
            exact_p=no_exact_p,
        )
        self._fold(decided)
        if planned is not None:
            self.swaps += planned.swapped
            self._fold(planned)
            self._fold(
                AliasesAssigned(
                    model_type=FAMILY,
                    cause="promotion",
                    cycle=decided.cycle,
                    plan=self._promotion.state.families[FAMILY].stream_version,
                    assignments=planned.assignments,
                    runs=(),
                    swapped=planned.swapped,
                    reordered=planned.reordered,
                )
            )

    def _games(self) -> Iterator[GameFinished]:
        promotion = self._promotion.state.families[FAMILY]
        for _ in range(GAMES_A_CYCLE):
            alias = self._random.choice(PLAYED_ALIASES)
            yield game_finished(
                alias=alias,
                model_version=promotion.aliases[alias],
                swap_count=promotion.swap_count,
                winner=self._random.choice(("bot", "user")),
            )

    def _fold(self, event: Event) -> None:
        event_type = event.__struct_config__.tag
        assert isinstance(event_type, str)
        self._position += 1
        entry = Entry(self._position, "", "", self._position, event_type, 1, self._position, b"", b"")
        for reader in self._readers.get(event_type, ()):
            reader.take(event, entry)


def no_exact_p(_b: Tally, _production: Tally) -> None:
    return None


def false_swaps(rule_name: str, runs: int, cycles: int) -> Share:
    """The share of runs with a swap, of models that are equal."""
    first = [0] * runs
    for run in range(runs):
        played = Played(rule_name, seed=run)
        for cycle in range(1, cycles + 1):
            played.cycle()
            if played.swaps and not first[run]:
                first[run] = cycle
            if first[run] and cycle > first[run] + CYCLES_AFTER_A_SWAP:
                break
    return share_by(first, cycles)


def spread(probability: float, runs: int) -> float:
    return 4 * math.sqrt(probability * (1 - probability) / runs)


@pytest.mark.parametrize(
    ("runs", "cycles"), [(200, 100), pytest.param(2_000, 300, marks=pytest.mark.stats)], ids=str
)
def test_the_anytime_rule_errs_at_most_as_often_as_its_alpha(runs: int, cycles: int) -> None:
    share = false_swaps(ANYTIME_SIGN, runs, cycles)

    assert share.value > 0
    assert share.upper <= ALPHA


@pytest.mark.parametrize(
    ("runs", "cycles", "expected"),
    [(200, 100, 0.675), pytest.param(2_000, 300, 0.744, marks=pytest.mark.stats)],
    ids=str,
)
def test_the_z_test_errs_as_often_as_it_is_known_to(runs: int, cycles: int, expected: float) -> None:
    share = false_swaps(Z_TEST, runs, cycles)

    assert share.value == pytest.approx(expected, abs=spread(expected, runs))
