import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from gameplay.models.errors import ModelUnavailable, RegistryError
from gameplay.models.store import ObjectModelStore, open_model_store
from gameplay.promotion.moves import Promotion
from gameplay.refusals import Conflict
from ledger.engines.sqlite import open_engine
from ledger.errors import LedgerError
from ledger.events import (
    AliasesAssigned,
    AliasesPlanned,
    Assignment,
    CycleDecided,
    Event,
    RankedChallenger,
    Rule,
    Tickers,
)
from ledger.streams import promotion_stream
from ledger.vocabulary import ALIASES, FAMILIES, Alias, Family
from migrations import upgrade
from projections.decision.cycle import plan, versions_of
from projections.decision.rules import Z_TEST
from projections.read_models.all import ReadModels
from projections.read_models.history import Query
from tests.builders import Versions, aliases_assigned, assignment, game_finished, game_started, prediction_made
from tests.gameplay.faults import (
    CrashError,
    FaultyLedger,
    crash,
    refuse,
    registry_with_versions,
)

FAMILY: Family = "xgboost"
RULE = Rule(name=Z_TEST, alpha="0.20", minimum_games=3, minimum_predictions=30)


class House:
    """One database and one registry, in which processes come and go."""

    def __init__(self, engine: Engine, store: ObjectModelStore | None = None) -> None:
        self.engine = engine
        self.ledger = FaultyLedger(engine)
        self.registry = registry_with_versions(count=6)
        self.store = store
        self._games = 0

    def process(self, load: Callable[[Family, int], object] | None = None) -> Promotion:
        """A promotion as a new process would have it; several share the registry."""
        ledger = self.ledger
        return Promotion(ledger, ReadModels(ledger), self.registry, rule=RULE, store=self.store, load=load)

    def bootstrap(self) -> None:
        for family in FAMILIES:
            self.ledger.append(promotion_stream(family), [aliases_assigned(model_type=family)], 0)

    def games(
        self, alias: Alias, played: int, won: int, *, version: int | None = None, swap_count: int = 0
    ) -> None:
        """Finished games of the family; the bot wins the first `won` of them."""
        appends = []
        for number in range(played):
            self._games += 1
            game_id = f"g{self._games}"
            labels = {
                "game_id": game_id,
                "model_type": FAMILY,
                "policy": "forrest",
                "alias": alias,
                "model_version": version or versions_of(assignment())[alias],
                "swap_count": swap_count,
            }
            finished = game_finished(**labels, winner="bot" if number < won else "user")
            appends.append(self.ledger.prepare(f"game-{game_id}", [game_started(**labels), finished], 0))
        self.ledger.append_all(appends)

    def predictions(self, **correct: int) -> None:
        """Forty predictions of each challenger's version (given as v3=20), so many of them correct."""
        self._games += 1
        made: list[Event] = [game_started(game_id=f"g{self._games}", model_type=FAMILY, policy="forrest")]
        for name, count in correct.items():
            made += [
                prediction_made(
                    game_id=f"g{self._games}",
                    model_type=FAMILY,
                    alias="B",
                    model_version=int(name[1:]),
                    correct=number < count,
                )
                for number in range(40)
            ]
        self.ledger.append(f"game-g{self._games}", made, 0)

    def better_b(self) -> None:
        """Evidence that swaps."""
        self.games("Production", 6, 1)
        self.games("B", 6, 5)

    def events(self, family: Family = FAMILY) -> list[Event]:
        return [self.ledger.decode(entry) for entry in self.ledger.read_stream(promotion_stream(family))]

    def aliases(self) -> Versions:
        """The ledger's, after a replay from the first event."""
        read_models = ReadModels(self.ledger)
        with read_models.projector.current():
            aliases = read_models.standings.state.families[FAMILY].aliases
        return (aliases["Production"], aliases["B"], aliases["shadow1"], aliases["shadow2"])

    def registered(self) -> Versions:
        named = self.registry.named[FAMILY]
        return (named["Production"], named["B"], named["shadow1"], named["shadow2"])

    def assert_converged(self) -> None:
        assert self.registered() == self.aliases()
        if self.store is not None:
            markers = {alias: marker.version for alias, marker in self.store.markers(FAMILY).items()}
            assert tuple(markers[alias] for alias in ALIASES) == self.aliases()
        assert_one_plan_at_a_time(self.events())


def assert_one_plan_at_a_time(events: list[Event]) -> None:
    """At most one plan was ever open, each was completed once, and cycles count 1, 2, 3."""
    open_plan: int | None = None
    for version, event in enumerate(events, start=1):
        if isinstance(event, AliasesPlanned):
            assert open_plan is None
            open_plan = version
        elif isinstance(event, AliasesAssigned) and event.plan is not None:
            assert event.plan == open_plan
            open_plan = None
        elif isinstance(event, CycleDecided):
            assert open_plan is None, "a cycle was decided while a plan was open"
    assert open_plan is None
    cycles = [event.cycle for event in events if isinstance(event, CycleDecided)]
    assert cycles == list(range(1, len(cycles) + 1))


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> House:
    house = House(engine, open_model_store(f"file://{tmp_path / 'models'}"))
    house.bootstrap()
    return house


def cycle(promotion: Promotion) -> CycleDecided:
    decided = promotion.cycle(FAMILY, trigger="manual", source="test")
    assert decided is not None
    return decided


def gauges(house: House) -> dict[str, float]:
    """Pending, cycles and games since the swap, swaps and counted decisions, after a replay."""
    read_models = ReadModels(house.ledger)
    with read_models.projector.current():
        promotion_state = read_models.standings.state.families[FAMILY]
        window = read_models.tickers.state.windows[FAMILY]
        decisions = read_models.counters.state.decisions
        return {
            "pending": promotion_state.plan is not None,
            "cycles": window.cycles,
            "production_games": window.scores["Production"].games,
            "b_games": window.scores["B"].games,
            "swaps": window.swap_count,
            "swap_decisions": decisions[FAMILY, "swap_production_b"],
            "reorders": decisions[FAMILY, "alias_reorder"],
        }


def applied(house: House) -> list[bool | None]:
    """Of each cycle, oldest first."""
    read_models = ReadModels(house.ledger)
    read_models.projector.start()
    rows = read_models.history.rows(Query(order="asc", limit=200))
    return [None if row["applied"] is None else bool(row["applied"]) for row in rows]


@pytest.mark.parametrize(("production", "b"), [(0, 0), (2, 9), (9, 2)])
def test_a_cycle_without_enough_games_decides_nothing(house: House, production: int, b: int) -> None:
    house.games("Production", production, 0)
    house.games("B", b, b)
    house.predictions(v2=1, v3=39, v4=20)

    decided = cycle(house.process())

    assert (decided.decision, decided.reason_code) == ("insufficient_data", "too_few_games")
    assert (decided.z_statistic, decided.p_value, decided.ranking) == (None, None, ())
    assert decided.tickers == Tickers(production_games=production, b_games=b, cycles=1)
    assert house.aliases() == house.registered() == (1, 2, 3, 4)
    assert applied(house) == [None]


def test_a_cycle_retains_a_production_that_is_as_good(house: House) -> None:
    house.games("Production", 6, 3)
    house.games("B", 6, 3)

    decided = cycle(house.process())

    assert (decided.decision, decided.reason_code, decided.reordered) == ("retain_production", "not_better", False)
    assert decided.evidence is not None
    assert (decided.evidence.production.window.games, decided.evidence.b.window.wins) == (6, 3)
    assert [ranked.alias for ranked in decided.ranking] == ["B", "shadow1", "shadow2"]
    assert gauges(house)["cycles"] == 1
    assert applied(house) == [None]


def test_a_better_b_is_swapped_with_production(house: House) -> None:
    house.better_b()

    decided = cycle(house.process())

    assert (decided.decision, decided.reason_code) == ("swap_production_b", "better")
    assert decided.tickers == Tickers(production_games=0, b_games=0, cycles=0)
    assert house.aliases() == (2, 1, 3, 4)
    house.assert_converged()
    assert gauges(house) == {
        "pending": False,
        "cycles": 0,
        "production_games": 0,
        "b_games": 0,
        "swaps": 1,
        "swap_decisions": 1,
        "reorders": 0,
    }
    assert applied(house) == [True]


def test_challengers_are_ranked_by_the_accuracy_of_their_versions(house: House) -> None:
    house.games("Production", 6, 3)
    house.games("B", 6, 3)
    house.predictions(v2=10, v3=30, v4=20)

    decided = cycle(house.process())

    assert (decided.decision, decided.reordered) == ("retain_production", True)
    assert decided.ranking == (
        RankedChallenger(alias="shadow1", version=3, rank=1, correct=30, predictions=40),
        RankedChallenger(alias="shadow2", version=4, rank=2, correct=20, predictions=40),
        RankedChallenger(alias="B", version=2, rank=3, correct=10, predictions=40),
    )
    assert house.aliases() == (1, 3, 4, 2)
    house.assert_converged()
    after = gauges(house)
    assert (after["swaps"], after["reorders"], after["cycles"], after["b_games"]) == (0, 1, 1, 6)
    assert applied(house) == [True]


def test_a_challenger_ranked_into_b_plays_its_own_games_first(house: House) -> None:
    house.games("Production", 8, 2)
    house.games("B", 8, 3)
    house.predictions(v2=10, v3=30, v4=20)
    process = house.process()
    assert cycle(process).reordered
    house.games("B", 2, 2, version=3)
    house.games("Production", 2, 0)
    house.games("B", 10, 10)  # of games that the former B finishes

    too_new = cycle(process)
    assert (too_new.decision, too_new.reason_code) == ("insufficient_data", "version_too_new")
    assert too_new.p_value is not None
    assert too_new.p_value < 0.2
    assert house.aliases() == (1, 3, 4, 2)

    house.games("B", 1, 1, version=3)
    assert cycle(process).decision == "swap_production_b"
    assert house.aliases() == (3, 1, 4, 2)
    house.assert_converged()


def test_a_family_without_aliases_has_no_cycle(engine: Engine) -> None:
    house = House(engine)

    for wanted in (lambda: cycle(house.process()), lambda: house.process().preview(FAMILY)):
        with pytest.raises(Conflict, match="rps setup"):
            wanted()
    assert house.events() == []


# Each step of a swap at which a process can die: the ledger's two appends, and four aliases between them.
CRASHES = (
    "before append 1",
    "after append 1",
    "before alias 1",
    "before alias 2",
    "before alias 3",
    "before alias 4",
    "before append 2",
    "after append 2",
)


@pytest.mark.parametrize("at", CRASHES)
def test_a_swap_that_died_is_carried_on_by_the_next_process(house: House, at: str) -> None:
    house.better_b()
    when, what, number = at.split()
    if what == "alias":
        house.registry.at_assignment(int(number), crash)
    elif when == "before":
        house.ledger.before_append(int(number), crash)
    else:
        house.ledger.after_append(int(number), crash)
    with pytest.raises(CrashError):
        cycle(house.process())
    died_undecided = at == "before append 1"

    survivor = house.process()
    assert settled(survivor)

    assert house.aliases() == ((1, 2, 3, 4) if died_undecided else (2, 1, 3, 4))
    assert house.registered() == house.aliases()
    assert gauges(house)["swaps"] == (not died_undecided)
    again = cycle(survivor)
    assert again.decision == ("swap_production_b" if died_undecided else "insufficient_data")
    house.assert_converged()
    assert (gauges(house)["swaps"], gauges(house)["swap_decisions"]) == (1, 1)
    assert sum(isinstance(event, AliasesAssigned) and event.swapped for event in house.events()) == 1


def test_a_version_that_cannot_be_loaded_keeps_the_plan_open(house: House) -> None:
    loadable: set[int] = {1, 3, 4}

    def load(family: Family, version: int) -> str:
        if version not in loadable:
            raise ModelUnavailable(family, version, (("load_error", "no graph"),))
        return "memory"

    house.better_b()
    process = house.process(load)
    assert cycle(process).decision == "swap_production_b"
    assert (house.registered(), house.aliases()) == ((1, 2, 3, 4), (1, 2, 3, 4))
    assert process.cycle(FAMILY, trigger="schedule", source="test") is None

    loadable.add(2)
    assert process.settle(FAMILY)
    house.assert_converged()
    assert house.aliases() == (2, 1, 3, 4)


def test_a_lost_version_behind_an_alias_that_stays_keeps_nobody_from_moving(house: House) -> None:
    house.better_b()
    del house.registry.kept[FAMILY, 4]

    assert cycle(house.process()).decision == "swap_production_b"

    assert house.aliases() == house.registered() == (2, 1, 3, 4)


def test_a_plan_to_a_lost_version_sets_no_alias_and_can_be_withdrawn(house: House) -> None:
    house.better_b()
    house.registry.down = True
    process = house.process()
    cycle(process)
    house.registry.down = False
    del house.registry.kept[FAMILY, 2]

    assert not process.settle(FAMILY)
    assert house.registered() == (1, 2, 3, 4)
    assert "plan 3 stays open" in process.problems[FAMILY]
    withdrawn = process.withdraw(FAMILY)

    assert withdrawn is not None
    assert (withdrawn.cause, withdrawn.plan, withdrawn.swapped) == ("manual", 3, False)
    assert house.aliases() == (1, 2, 3, 4)
    assert (gauges(house)["pending"], gauges(house)["swaps"], gauges(house)["production_games"]) == (False, 0, 6)
    assert applied(house) == [False]
    assert process.problems == {}
    assert process.withdraw(FAMILY) is None


def test_a_withdrawal_gives_way_to_a_process_that_carries_the_plan_out(house: House) -> None:
    house.better_b()
    house.registry.down = True
    cycle(house.process())
    house.registry.down = False
    other = house.process()
    house.registry.at_assignment(1, lambda: other.settle(FAMILY))

    assert house.process().withdraw(FAMILY) is None

    assert house.aliases() == (2, 1, 3, 4)
    house.assert_converged()
    assert house.process().adopt(FAMILY) is None


@pytest.mark.parametrize("act", ["cycle", "move"])
def test_a_plan_that_another_process_has_just_made_is_completed_first(house: House, act: str) -> None:
    """It is made after this process has looked for one, and before it looks at the standing."""
    other, process = house.process(), house.process()

    def plan_elsewhere() -> None:
        planned = plan("manual", FAMILY, assignment(), assignment((1, 2, 4, 3)))
        house.ledger.append(promotion_stream(FAMILY), [planned], other.state(FAMILY).promotion.stream_version)

    process.settle(FAMILY)
    house.ledger.before_read(2, plan_elsewhere)
    if act == "cycle":
        assert process.cycle(FAMILY, trigger="schedule", source="test") is not None
    else:
        assert process.move(FAMILY, assignment((5, 2, 3, 6)), cause="manual")

    completed = [event.plan for event in house.events() if isinstance(event, AliasesAssigned) and event.plan]
    assert len(completed) == sum(isinstance(event, AliasesPlanned) for event in house.events())
    house.assert_converged()


def test_a_cycle_does_not_hide_aliases_that_are_not_adopted(house: House) -> None:
    del house.registry.named[FAMILY]["shadow2"]
    process = house.process()
    process.adopt(FAMILY)

    cycle(process)

    assert "shadow2 not set" in process.problems[FAMILY]


def test_a_plan_that_another_process_has_ended_is_no_problem_any_more(house: House) -> None:
    house.better_b()
    house.registry.down = True
    process = house.process()
    cycle(process)
    assert FAMILY in process.problems
    house.registry.down = False

    house.process().settle(FAMILY)
    process.state(FAMILY)

    assert process.problems == {}


def test_what_was_set_of_a_withdrawn_plan_is_set_back(house: House) -> None:
    house.better_b()
    house.registry.at_assignment(2, crash)
    with pytest.raises(CrashError):
        cycle(house.process())
    assert house.registered() == (2, 2, 3, 4)

    assert house.process().withdraw(FAMILY)

    house.assert_converged()
    assert house.aliases() == (1, 2, 3, 4)


def test_an_unreachable_registry_leaves_the_plan_open_until_it_is_back(house: House) -> None:
    house.better_b()
    house.registry.down = True
    process = house.process()

    assert cycle(process).decision == "swap_production_b"
    assert process.cycle(FAMILY, trigger="schedule", source="test") is None
    assert not process.settle(FAMILY)
    assert process.problems[FAMILY].startswith("plan ")
    with pytest.raises(Conflict, match="open plan"):
        process.preview(FAMILY)
    with pytest.raises(Conflict, match="open plan"):
        process.move(FAMILY, assignment((6, 5, 4, 3)), cause="manual")
    during = gauges(house)
    assert (during["pending"], during["swaps"], during["production_games"]) == (True, 0, 6)
    assert applied(house) == [False]

    house.registry.down = False
    assert settled(house.process())
    house.assert_converged()
    assert (gauges(house)["pending"], gauges(house)["swaps"]) == (False, 1)
    assert applied(house) == [True]


def test_a_registry_that_fails_in_between_is_led_to_the_plan(house: House) -> None:
    house.better_b()
    house.registry.at_assignment(2, refuse)
    process = house.process()

    cycle(process)
    assert house.registered() == (2, 2, 3, 4), "both aliases on one version: nobody may read this back"

    assert process.adopt(FAMILY) is None
    assert process.settle(FAMILY)
    house.assert_converged()
    assert house.aliases() == (2, 1, 3, 4)


def test_a_marker_store_that_fails_keeps_the_plan_open(house: House, tmp_path: Path) -> None:
    house.better_b()
    assert house.store is not None
    folder = tmp_path / "models"
    (folder / "rps_bot_xgboost").write_text("a file where a folder should be")
    process = house.process()

    cycle(process)
    assert gauges(house)["pending"]

    (folder / "rps_bot_xgboost").unlink()
    assert process.settle(FAMILY)
    house.assert_converged()


def test_an_open_plan_is_finished_before_anything_new_is_decided(house: House) -> None:
    house.better_b()
    house.registry.down = True
    cycle(house.process())
    house.registry.down = False

    decided = cycle(house.process())

    assert decided.cycle == 2
    kinds = [type(event).__name__ for event in house.events()]
    assert kinds == ["AliasesAssigned", "CycleDecided", "AliasesPlanned", "AliasesAssigned", "CycleDecided"]


def test_two_processes_never_decide_one_cycle_twice(house: House) -> None:
    house.games("Production", 6, 3)
    house.games("B", 6, 3)
    processes = [house.process() for _ in range(2)]
    failures: list[Exception] = []

    def run(promotion: Promotion) -> None:
        try:
            for _ in range(8):
                cycle(promotion)
        except (Conflict, LedgerError) as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(promotion,)) for promotion in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert_one_plan_at_a_time(house.events())
    assert gauges(house)["cycles"] == 16


def test_two_processes_that_swap_at_once_swap_once(house: House) -> None:
    house.better_b()
    one, other = house.process(), house.process()
    house.ledger.before_append(1, lambda: cycle(other))

    decided = cycle(one)

    assert (decided.cycle, decided.decision) == (2, "insufficient_data")
    assert gauges(house)["swaps"] == 1
    house.assert_converged()


def test_a_process_that_was_overtaken_puts_the_registry_right_again(house: House) -> None:
    house.better_b()
    house.registry.down = True
    cycle(house.process())
    house.registry.down = False
    slow, fast = house.process(), house.process()

    def overtake() -> None:
        assert fast.settle(FAMILY)
        assert fast.move(FAMILY, assignment((5, 6, 3, 4)), cause="manual")

    house.registry.at_assignment(2, overtake)

    assert slow.settle(FAMILY)
    assert house.aliases() == (5, 6, 3, 4)
    house.assert_converged()


def test_a_plan_that_another_process_completes_is_completed_once(house: House) -> None:
    house.better_b()
    house.registry.down = True
    cycle(house.process())
    house.registry.down = False
    slow, fast = house.process(), house.process()
    house.ledger.before_append(1, lambda: fast.settle(FAMILY))

    assert slow.settle(FAMILY)

    assert gauges(house)["swaps"] == 1
    house.assert_converged()


def test_a_dry_run_says_what_a_cycle_would_do_and_writes_nothing(house: House) -> None:
    house.better_b()
    head, calls = house.ledger.head(), house.registry.calls
    process = house.process()

    decided, planned = process.preview(FAMILY)

    assert planned is not None
    assert (decided.decision, planned.swapped) == ("swap_production_b", True)
    assert (house.ledger.head(), house.registry.calls, house.registered()) == (head, calls, (1, 2, 3, 4))
    really = cycle(process)
    assert (really.decision, really.z_statistic, really.p_value) == (
        decided.decision,
        decided.z_statistic,
        decided.p_value,
    )


def test_a_training_moves_aliases_without_swap_or_reorder(house: House) -> None:
    house.games("Production", 4, 2)
    process = house.process()

    assert process.move(FAMILY, assignment((1, 2, 3, 5)), cause="training")

    assert house.aliases() == (1, 2, 3, 5)
    house.assert_converged()
    after = gauges(house)
    assert (after["swaps"], after["reorders"], after["cycles"], after["production_games"]) == (0, 0, 0, 4)
    planned, assigned = house.events()[1:]
    assert isinstance(planned, AliasesPlanned)
    assert isinstance(assigned, AliasesAssigned)
    assert (planned.cause, assigned.cause, assigned.plan) == ("training", "training", 2)


def test_a_move_to_where_the_aliases_are_writes_nothing(house: House) -> None:
    assert house.process().move(FAMILY, assignment((1, 2, 3, 4)), cause="manual")
    assert len(house.events()) == 1


def test_an_exchange_by_hand_is_a_swap(house: House) -> None:
    house.games("Production", 4, 2)

    assert house.process().move(FAMILY, assignment((2, 1, 3, 4)), cause="manual")

    assert (gauges(house)["swaps"], gauges(house)["production_games"]) == (1, 0)
    assert gauges(house)["swap_decisions"] == 0


def test_a_registry_as_the_ledger_knows_it_is_no_news(house: House) -> None:
    assert house.process().adopt(FAMILY) is None
    assert len(house.events()) == 1


@pytest.mark.parametrize(
    ("found", "swapped"),
    [((2, 1, 3, 4), True), ((2, 3, 1, 4), False), ((1, 5, 3, 4), False), ((2, 1, 4, 3), True)],
)
def test_a_registry_that_differs_is_adopted(house: House, found: Versions, swapped: bool) -> None:
    house.games("Production", 4, 2)
    house.registry.named[FAMILY] = dict(zip(ALIASES, found, strict=True))
    process = house.process()

    adopted = process.adopt(FAMILY)

    assert adopted is not None
    assert (adopted.cause, adopted.swapped, adopted.plan, adopted.cycle) == ("registry", swapped, None, None)
    assert house.aliases() == found
    assert gauges(house)["swaps"] == swapped
    assert gauges(house)["production_games"] == (0 if swapped else 4)
    assert process.adopt(FAMILY) is None


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ({"Production": 1, "B": 2, "shadow1": 3}, "shadow2 not set"),
        ({}, "Production, B, shadow1, shadow2 not set"),
        ({"Production": 1, "B": 2, "shadow1": 77, "shadow2": 4}, "shadow1 name a version that does not exist"),
        (
            {"Production": 2, "B": 2, "shadow1": 3, "shadow2": 4},
            "Production and B are both version 2, as in the middle of an exchange",
        ),
    ],
)
def test_an_inconsistent_registry_is_shown_and_not_adopted(
    house: House, found: dict[Alias, int], problem: str
) -> None:
    house.registry.named[FAMILY] = found
    process = house.process()

    assert process.adopt(FAMILY) is None

    assert process.problems == {FAMILY: f"the registry's aliases are not adopted: {problem}"}
    assert house.aliases() == (1, 2, 3, 4)
    house.registry.named[FAMILY] = dict(zip(ALIASES, (1, 2, 3, 4), strict=True))
    process.adopt(FAMILY)
    assert process.problems == {}


def test_a_version_that_cannot_be_served_is_not_adopted(house: House) -> None:
    def load(family: Family, version: int) -> str:
        if version == 5:
            raise ModelUnavailable(family, version, (("load_error", "no graph"),))
        return "memory"

    house.registry.named[FAMILY]["B"] = 5
    process = house.process(load)

    assert process.adopt(FAMILY) is None

    assert "version 5 of xgboost cannot be loaded" in process.problems[FAMILY]
    assert house.aliases() == (1, 2, 3, 4)


def test_an_exchange_made_in_two_steps_is_one_swap(house: House) -> None:
    """Whoever exchanges two aliases in the registry sets one after the other; a reload may come in between."""
    process = house.process()
    house.registry.named[FAMILY]["Production"] = 2
    assert process.adopt(FAMILY) is None
    house.registry.named[FAMILY]["B"] = 1

    adopted = process.adopt(FAMILY)

    assert adopted is not None
    assert adopted.swapped
    assert gauges(house)["swaps"] == 1


def test_the_first_aliases_of_a_family_are_its_bootstrap(engine: Engine) -> None:
    house = House(engine)

    adopted = house.process().adopt(FAMILY)

    assert adopted is not None
    assert (adopted.cause, adopted.swapped) == ("bootstrap", False)
    assert [change.before for change in adopted.assignments] == [None] * 4
    assert house.aliases() == (1, 2, 3, 4)


def test_nothing_is_adopted_while_a_plan_is_open(house: House) -> None:
    house.better_b()
    house.registry.down = True
    process = house.process()
    cycle(process)
    house.registry.down = False
    house.registry.named[FAMILY] = dict(zip(ALIASES, (4, 3, 2, 1), strict=True))

    assert process.adopt(FAMILY) is None
    assert process.settle(FAMILY)

    assert house.aliases() == house.registered() == (2, 1, 3, 4)


def test_an_adoption_gives_way_to_a_decision_made_meanwhile(house: House) -> None:
    house.better_b()
    house.registry.named[FAMILY] = dict(zip(ALIASES, (1, 2, 4, 3), strict=True))
    other = house.process()
    house.ledger.before_append(1, lambda: cycle(other))

    assert house.process().adopt(FAMILY) is None

    assert house.aliases() == (2, 1, 3, 4)
    house.assert_converged()


def settled(promotion: Promotion) -> bool:
    return [promotion.settle(family) for family in FAMILIES] == [True] * len(FAMILIES)


FAULTS = ("crash before append", "crash after append", "crash registry", "refuse registry")
Act = tuple[str, str, int]
_acts = st.lists(
    st.tuples(
        st.sampled_from(["cycle", "cycle", "settle", "adopt", "move", "withdraw", "play"]),
        st.sampled_from(["", "", *FAULTS]),
        st.integers(1, 5),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("promotions")
    engine = open_engine(f"sqlite:///{folder / 'empty.db'}")
    upgrade(engine)
    engine.dispose()
    return folder


@settings(max_examples=40)
@given(acts=_acts, seed=st.integers(0, 2**32))
def test_whatever_fails_the_registry_comes_to_equal_the_ledger(empty: Path, acts: list[Act], seed: int) -> None:
    path = empty / "ledger.db"
    path.write_bytes((empty / "empty.db").read_bytes())
    engine = open_engine(f"sqlite:///{path}")
    try:
        house = House(engine)
        house.bootstrap()
        promotion = house.process()
        for act, fault, at in acts:
            house.ledger.appends, house.registry.calls = 0, 0
            trip(house, fault, at)
            try:
                perform(house, promotion, act, at + seed)
            except CrashError:
                promotion = house.process()
            untrip(house)
        assert settled(promotion)
        house.assert_converged()
    finally:
        engine.dispose()
        for left in empty.glob("ledger.db*"):
            left.unlink()


def trip(house: House, fault: str, at: int) -> None:
    match fault:
        case "crash before append":
            house.ledger.before_append(min(at, 2), crash)
        case "crash after append":
            house.ledger.after_append(min(at, 2), crash)
        case "crash registry":
            house.registry.at_assignment(at, crash)
        case "refuse registry":
            house.registry.at_call(at, refuse)


def untrip(house: House) -> None:
    for when in (house.ledger.before_append, house.ledger.after_append):
        when(-1, crash)
    house.registry.forget()


def perform(house: House, promotion: Promotion, act: str, number: int) -> None:
    with suppress(Conflict):
        match act:
            case "cycle":
                promotion.cycle(FAMILY, trigger="schedule", source="test")
            case "settle":
                promotion.settle(FAMILY)
            case "adopt":
                with suppress(RegistryError):
                    promotion.adopt(FAMILY)
            case "withdraw":
                with suppress(RegistryError):
                    promotion.withdraw(FAMILY)
            case "move":
                order = [(1, 2, 3, 4), (2, 1, 3, 4), (1, 3, 2, 4), (5, 2, 3, 6)][number % 4]
                promotion.move(FAMILY, Assignment(**dict(zip(ALIASES, order, strict=True))), cause="manual")
            case "play":
                swaps = int(gauges(house)["swaps"])
                production, b, *_ = house.aliases()
                house.games("Production", 4, 0, version=production, swap_count=swaps)
                house.games("B", 4, 4, version=b, swap_count=swaps)
