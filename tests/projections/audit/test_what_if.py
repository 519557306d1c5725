from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from ledger.engines.database import open_reader
from ledger.events import AliasesAssigned, Assignment, CycleDecided, Event
from ledger.store import Ledger
from ledger.vocabulary import FAMILIES, PlayerKind
from projections.audit.counterfactual import Change
from projections.audit.histories import Histories, Period, Time
from projections.audit.what_if import what_if
from projections.decision.cycle import assignments, plan, swap
from projections.decision.rules import ANYTIME_SIGN, DEFAULT_GUARDS
from projections.errors import ProjectionError
from tests.builders import (
    alias_pinned,
    alias_unpinned,
    aliases_assigned,
    arm,
    assignment,
    cycle_decided,
    evidence,
    game_finished,
    game_started,
    prediction_made,
    rule,
    tally,
)
from tests.projections.stories import Clock

RULE = rule(name="ztest/1")


@pytest.fixture(scope="module")
def played(example: Path) -> Iterator[Ledger]:
    """The example, for reading: whatever is written is refused."""
    engine = open_reader(f"sqlite:///{example}")
    yield Ledger(engine)
    engine.dispose()


def compared(event: CycleDecided) -> tuple[object, ...]:
    return (
        event.decision,
        event.evidence,
        event.z_statistic,
        event.p_value,
        event.ranking,
        event.tickers,
        event.reason,
    )


def test_the_histories_end_with_the_last_event(played: Ledger) -> None:
    for one in what_if(played, Change()):
        assert one.last_us == played.head().recorded_us


def test_nothing_changed_gives_the_history_itself(played: Ledger) -> None:
    for outcome in what_if(played, Change()):
        own = [cycle for cycle in outcome.cycles if cycle.actual.trigger != "report"]
        assert own
        assert [compared(cycle.counterfactual) for cycle in own] == [compared(cycle.actual) for cycle in own]
        assert outcome.counterfactual_periods == outcome.actual_periods
        assert (outcome.parted_position, outcome.exact_until, outcome.unused_games) == (None, None, 0)


def test_each_change_of_the_rule_is_the_recorded_rule_s(played: Ledger) -> None:
    (outcome,) = what_if(played, Change(alpha="0.05", minimum_games=5), ["xgboost"])

    rules = [(cycle.actual.rule, cycle.counterfactual.rule) for cycle in outcome.cycles]
    assert all(actual is not None and actual.alpha == "0.20" for actual, _ in rules)
    assert {(other.alpha, other.minimum_games, other.minimum_predictions) for _, other in rules if other} == {
        ("0.05", 5, 30)
    }


def test_a_stricter_alpha_never_swaps_where_nothing_would_have(played: Ledger) -> None:
    for outcome in what_if(played, Change(alpha="0.0000001")):
        assert all(cycle.counterfactual.decision != "swap_production_b" for cycle in outcome.cycles)
        exogenous = [period for period in outcome.counterfactual_swaps if period in outcome.actual_swaps]
        assert outcome.counterfactual_swaps == exogenous


def test_one_family_is_asked_alone(played: Ledger) -> None:
    assert [outcome.model_type for outcome in what_if(played, Change(), ["xgboost"])] == ["xgboost"]
    assert [outcome.model_type for outcome in what_if(played, Change())] == list(FAMILIES)


def test_cycles_are_exact_until_a_version_is_missing(played: Ledger) -> None:
    outcomes = what_if(played, Change(alpha="0.4"))

    for outcome in outcomes:
        limit = outcome.exact_until
        assert all(cycle.exact == (limit is None or cycle.position <= limit) for cycle in outcome.cycles)
    assert any(outcome.exact_until for outcome in outcomes)


class Story:
    """A family's history, written event by event; both versions play as the test says."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.assignment = assignment()
        self.swaps = 0
        self.games = 0
        self.cycles = 0
        self.rule = RULE
        self.player_kind: PlayerKind = "human"
        self.fallback_affected = False
        self.tell(aliases_assigned())

    def tell(self, *events: Event) -> None:
        for event in events:
            stream = "promotion-feedforward_nn"
            self.ledger.append(stream, [event], self.ledger.version(stream))

    def play(self, version: int, won: int, lost: int) -> None:
        """Finished games of one version."""
        alias = "Production" if self.assignment.Production == version else "B"
        for winner in ["bot"] * won + ["user"] * lost:
            self.games += 1
            game_id = f"g{self.games}"
            common = {
                "game_id": game_id,
                "player_kind": self.player_kind,
                "alias": alias,
                "model_version": version,
                "swap_count": self.swaps,
            }
            started = game_started(**common, assignment=self.assignment)
            finished = game_finished(**common, winner=winner, fallback_affected=self.fallback_affected)
            self.ledger.append(f"game-{game_id}", [started, finished], 0)

    def cycle(self, decision: str) -> None:
        """A cycle that decided so, and what followed."""
        if decision != "swap_production_b":
            self.tell(self.decide(decision))
            return
        version, after = self.plan_swap()
        self.assign(after, "promotion", plan=version, cycle=self.cycles, swapped=True)

    def decide(self, decision: str) -> CycleDecided:
        self.cycles += 1
        through = self.ledger.head().position
        proof = evidence(through_position=through, production=arm(1, 0, 0), b=arm(2, 0, 0))
        return cycle_decided(
            cycle=self.cycles,
            decision=decision,
            decided_us=self.ledger.now_us(),
            evidence=proof,
            rule=self.rule,
            ranking=(),
            reordered=False,
        )

    def plan_swap(self) -> tuple[int, Assignment]:
        """A cycle whose swap is not carried out yet: the plan's stream version, and where it leads."""
        decided = self.decide("swap_production_b")
        after = swap(self.assignment)
        self.tell(decided, plan("promotion", "feedforward_nn", self.assignment, after, cycle=self.cycles))
        return self.ledger.version("promotion-feedforward_nn"), after

    def cancel(self) -> None:
        """An operator closes the open plan."""
        self.assign(self.assignment, "manual", plan=self.ledger.version("promotion-feedforward_nn"))

    def assign(self, after: object, cause: str, **more: object) -> None:
        """Aliases change."""
        moved = AliasesAssigned(
            model_type="feedforward_nn",
            cause=cause,  # type: ignore[arg-type]
            assignments=assignments(self.assignment, after),  # type: ignore[arg-type]
            **{"plan": None, "cycle": None, "swapped": False, "reordered": False, "runs": (), **more},  # type: ignore[arg-type]
        )
        self.tell(moved)
        self.assignment = after  # type: ignore[assignment]
        self.swaps += moved.swapped

    def ask(self, **change: object) -> Histories:
        (outcome,) = what_if(self.ledger, Change(**change), ["feedforward_nn"])  # type: ignore[arg-type]
        return outcome


@pytest.fixture
def story(ledger: Ledger) -> Story:
    return Story(ledger)


def test_a_swap_that_a_stricter_rule_would_not_have_made_parts_the_histories(story: Story) -> None:
    story.play(1, won=1, lost=2)
    story.play(2, won=2, lost=1)
    story.cycle("insufficient_data")  # p = 0.2071
    story.play(2, won=1, lost=0)
    story.cycle("swap_production_b")  # p = 0.1356
    story.play(1, won=0, lost=3)
    story.play(2, won=3, lost=0)
    story.cycle("insufficient_data")

    outcome = story.ask(alpha="0.01")

    assert [cycle.counterfactual.decision for cycle in outcome.cycles] == [
        "retain_production",
        "retain_production",
        "swap_production_b",
    ]
    assert len(outcome.actual_swaps) == 1
    assert [period.position for period in outcome.counterfactual_swaps] == [outcome.cycles[2].position]
    assert outcome.parted_position is not None
    assert outcome.exact_until is None
    assert outcome.cycles[2].counterfactual.evidence == evidence(
        after_position=0,
        through_position=outcome.cycles[2].position - 1,
        production=arm(1, 6, 1),
        b=arm(2, 7, 6),
    )


def test_a_swap_that_a_looser_rule_would_have_made_earlier_opens_a_new_window(story: Story) -> None:
    story.play(1, won=1, lost=2)
    story.play(2, won=2, lost=1)
    story.cycle("insufficient_data")
    story.play(1, won=3, lost=0)
    story.play(2, won=0, lost=4)
    story.cycle("retain_production")

    outcome = story.ask(alpha="0.25")

    first, second = outcome.cycles
    assert [first.counterfactual.decision, second.counterfactual.decision] == [
        "swap_production_b",
        "swap_production_b",
    ]
    assert second.counterfactual.evidence is not None
    assert second.counterfactual.evidence.after_position == first.position
    assert second.counterfactual.evidence.production == arm(2, 4, 0)
    assert second.counterfactual.evidence.b == arm(1, 3, 3)
    assert outcome.exact_until is None


def test_histories_meet_again_where_a_hand_sets_the_aliases(story: Story) -> None:
    story.play(1, won=1, lost=2)
    story.play(2, won=2, lost=1)
    story.cycle("insufficient_data")
    story.assign(assignment((3, 2, 1, 4)), "manual")
    story.play(3, won=2, lost=2)

    outcome = story.ask(alpha="0.25")

    assert outcome.parted_position == outcome.cycles[0].position
    assert (outcome.exact_until, outcome.unused_games) == (None, 0)
    assert outcome.counterfactual_periods[-1] == outcome.actual_periods[-1]


def test_games_of_a_version_that_would_have_been_a_shadow_are_not_used(story: Story) -> None:
    for number in range(40):
        story.ledger.append(
            f"game-x{number}",
            [
                prediction_made(game_id="x", alias="B", model_version=2, correct=False, predicted="rock"),
                prediction_made(game_id="x", alias="shadow1", model_version=3),
                prediction_made(game_id="x", alias="shadow2", model_version=4, correct=False, predicted="rock"),
            ],
            0,
        )
    story.play(1, won=2, lost=1)
    story.play(2, won=2, lost=1)
    story.cycle("insufficient_data")
    story.play(2, won=1, lost=1)

    outcome = story.ask()

    assert outcome.cycles[0].counterfactual.decision == "retain_production"
    assert outcome.cycles[0].counterfactual.reordered
    assert outcome.exact_until == outcome.cycles[0].position
    assert outcome.unused_games == 2


def test_what_an_outside_hand_does_happens_in_both_histories(story: Story) -> None:
    story.play(1, won=1, lost=2)
    story.play(2, won=2, lost=1)
    story.cycle("insufficient_data")
    story.assign(assignment((1, 2, 3, 5)), "training")
    story.assign(assignment((2, 1, 3, 5)), "registry", swapped=True)

    outcome = story.ask(alpha="0.25")

    assert outcome.counterfactual_periods[-1][2:] == outcome.actual_periods[-1][2:] == (2, 1)


def test_a_move_that_was_cancelled_comes_in_neither_history(story: Story) -> None:
    """Both rules swap; the plan could not be completed, and an operator closed it. The games go on counting."""
    story.play(1, won=0, lost=3)
    story.play(2, won=3, lost=0)
    story.plan_swap()
    story.cancel()
    story.play(2, won=1, lost=0)
    story.cycle("retain_production")

    outcome = story.ask()

    assert [cycle.counterfactual.decision for cycle in outcome.cycles] == [
        "swap_production_b",
        "swap_production_b",
    ]
    assert outcome.counterfactual_swaps == [outcome.counterfactual_periods[-1]]
    assert outcome.counterfactual_swaps[0].position == outcome.cycles[1].position
    assert outcome.cycles[1].counterfactual.evidence is not None
    assert outcome.cycles[1].counterfactual.evidence.b == arm(2, 4, 4)


def test_what_moves_after_a_cancellation_does_not_bring_the_old_move_back(story: Story) -> None:
    story.play(1, won=0, lost=3)
    story.play(2, won=3, lost=0)
    story.plan_swap()
    story.cancel()
    trained = assignment((1, 2, 3, 5))
    story.tell(plan("training", "feedforward_nn", story.assignment, trained))
    story.assign(trained, "training", plan=story.ledger.version("promotion-feedforward_nn"))

    outcome = story.ask()

    assert outcome.counterfactual_swaps == []
    assert outcome.counterfactual_periods == outcome.actual_periods
    assert (outcome.parted_position, outcome.exact_until) == (None, None)


def test_a_swap_that_awaits_its_approval_holds_the_next_one_back_in_the_other_history_too(story: Story) -> None:
    story.rule = rule(name="ztest/1", approval_seconds=3_600)
    story.play(1, won=0, lost=3)
    story.play(2, won=3, lost=0)
    decided, after = story.decide("swap_production_b"), swap(story.assignment)
    planned = plan("promotion", "feedforward_nn", story.assignment, after, cycle=story.cycles)
    story.tell(decided, replace(planned, approve_by_us=story.ledger.now_us() + 3_600_000_000))
    story.cycle("retain_production")

    outcome = story.ask()

    assert [cycle.counterfactual.reason_code for cycle in outcome.cycles] == ["better", "awaiting_approval"]
    assert outcome.counterfactual_swaps == []


def test_a_game_that_aliases_moved_under_counts_for_what_it_started_with(story: Story) -> None:
    """It is recorded after the move, with the versions of before; its own version is behind no alias any more."""
    story.play(1, won=0, lost=3)
    before = story.assignment
    story.assign(assignment((1, 5, 3, 4)), "training")
    late = {"game_id": "late", "alias": "B", "model_version": 2}
    started, finished = game_started(**late, assignment=before), game_finished(**late, winner="bot")
    story.ledger.append("game-late", [started, finished], 0)
    story.play(5, won=3, lost=0)
    story.cycle("insufficient_data")

    outcome = story.ask()

    assert outcome.cycles[0].counterfactual.evidence is not None
    assert outcome.cycles[0].counterfactual.evidence.b == arm(5, 4, 4, own=(3, 3))
    assert outcome.unused_games == 0
    assert outcome.tallies == {1: tally(0, 3), 2: tally(1, 1), 5: tally(3, 3)}


def test_the_anytime_rule_waits_for_more_games_and_until_they_are_settled(story: Story, clock: Clock) -> None:
    story.play(1, won=0, lost=3)
    story.play(2, won=3, lost=0)
    clock.now += 60
    story.cycle("swap_production_b")
    story.play(1, won=0, lost=3)
    story.play(2, won=3, lost=0)
    story.cycle("insufficient_data")
    clock.now += 60
    story.cycle("insufficient_data")

    outcome = story.ask(name=ANYTIME_SIGN, settle_seconds=60)

    assert [cycle.counterfactual.decision for cycle in outcome.cycles] == [
        "retain_production",
        "retain_production",
        "swap_production_b",
    ]
    assert [cycle.counterfactual.z_statistic for cycle in outcome.cycles] == [None] * 3
    assert story.ask(name=ANYTIME_SIGN).cycles[-1].counterfactual.reason_code == "too_few_games"  # 1,800 s
    assert outcome.exact_until is None


def test_the_other_evidence_leaves_out_what_another_version_has_played(story: Story) -> None:
    story.play(1, won=0, lost=3)
    story.play(2, won=3, lost=0)
    story.assign(assignment((1, 5, 3, 4)), "training")
    story.play(5, won=0, lost=3)
    story.cycle("retain_production")

    mixed, own = story.ask().cycles[0], story.ask(evidence="version_pair").cycles[0]

    assert mixed.counterfactual.evidence is not None
    assert mixed.counterfactual.evidence.b.window == tally(3, 6)
    assert own.counterfactual.evidence is not None
    assert own.counterfactual.evidence.b == arm(5, 3, 0)
    assert own.counterfactual.evidence.production == arm(1, 0, 0)


@pytest.mark.parametrize(("players", "games"), [("all", 3), ("human", 0)])
def test_the_players_are_another_choice(story: Story, players: str, games: int) -> None:
    story.player_kind = "bot"
    story.play(1, won=0, lost=3)
    story.cycle("insufficient_data")

    evidence_ = story.ask(players=players).cycles[0].counterfactual.evidence

    assert evidence_ is not None
    assert evidence_.production == arm(1, games, 0)


def test_a_guard_holds_a_swap_back_in_the_other_history_too(story: Story) -> None:
    story.rule = rule(guards=replace(DEFAULT_GUARDS, sample_ratio=False, cooldown_cycles=2))
    story.assign(assignment((2, 1, 3, 4)), "manual", swapped=True)
    story.play(1, won=3, lost=0)
    story.play(2, won=0, lost=3)
    for _ in range(4):
        story.cycle("retain_production")

    outcome = story.ask(alpha="0.3")

    assert [cycle.counterfactual.reason_code for cycle in outcome.cycles] == [
        "cooling_down",
        "cooling_down",
        "better",
        "too_few_games",
    ]


def test_games_that_a_fallback_affected_are_watched_in_the_other_history_too(story: Story) -> None:
    story.play(1, won=1, lost=0)
    story.fallback_affected = True
    story.play(1, won=2, lost=1)
    story.cycle("insufficient_data")

    watched = story.ask().cycles[0].counterfactual.watched

    assert watched is not None
    assert (watched.production_finished, watched.production_fallbacks) == (4, 3)


def test_a_pin_holds_a_swap_back_in_the_other_history_until_it_is_unpinned(story: Story) -> None:
    story.play(1, won=0, lost=3)
    story.play(2, won=3, lost=0)
    story.tell(alias_pinned())
    story.cycle("retain_production")
    story.tell(alias_unpinned())
    story.cycle("swap_production_b")

    outcome = story.ask()

    assert [cycle.counterfactual.reason_code for cycle in outcome.cycles] == ["pinned", "better"]
    assert outcome.parted_position is None


def test_a_cycle_of_an_unknown_rule_is_reported(story: Story) -> None:
    story.rule = rule(name="coin/1")
    story.cycle("retain_production")

    with pytest.raises(ProjectionError, match=r"position 2 .* 'coin/1'"):
        story.ask()
    assert story.ask(name="ztest/1").cycles[0].counterfactual.decision == "insufficient_data"


def test_an_empty_ledger_has_no_time_and_no_swap(ledger: Ledger) -> None:
    outcomes = what_if(ledger, Change())

    assert [outcome.model_type for outcome in outcomes] == list(FAMILIES)
    for outcome in outcomes:
        assert (
            outcome.time(outcome.actual_periods) == outcome.time(outcome.counterfactual_periods) == Time(0, 0, 0)
        )
        assert (outcome.actual_swaps, outcome.counterfactual_swaps, outcome.compared) == ([], [], {})


SECOND = 1_000_000
OUTCOME = Histories(
    model_type="xgboost",
    cycles=(),
    actual_periods=(
        Period(1, 0, 1, 2),
        Period(2, 30 * SECOND, 2, 1),
        Period(3, 70 * SECOND, 2, 3),  # as good as one another
        Period(4, 90 * SECOND, 2, 4),  # version 4 never played
    ),
    counterfactual_periods=(Period(1, 0, 1, 2),),
    parted_position=None,
    exact_until=None,
    unused_games=0,
    tallies={1: tally(1, 4), 2: tally(3, 4), 3: tally(3, 4), 9: tally(1, 1)},
    last_us=100 * SECOND,
)


def test_time_with_the_better_version_is_a_share_of_the_same_time_in_both_histories() -> None:
    assert OUTCOME.time(OUTCOME.actual_periods) == Time(40, 30, 100)
    assert OUTCOME.time(OUTCOME.counterfactual_periods) == Time(0, 0, 100)


def test_the_versions_that_are_compared_have_their_scores() -> None:
    assert OUTCOME.compared == {1: tally(1, 4), 2: tally(3, 4), 3: tally(3, 4), 4: tally(0, 0)}
