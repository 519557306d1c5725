"""One family on one database and one registry, in which processes come and go."""

import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine

from gameplay.models.store import open_model_store
from gameplay.promotion import applying, planning
from gameplay.promotion.backends import Loader
from gameplay.promotion.state import Promotion
from ledger.events import AliasesAssigned, AliasesPlanned, CycleDecided, Event
from ledger.evidence import Rule
from ledger.streams import promotion_stream
from ledger.vocabulary import ALIASES, FAMILIES, Alias, Family, PlayerKind
from projections.decision.cycle import plan, versions_of
from projections.decision.rules import Z_TEST
from projections.read_models.all import ReadModels
from projections.read_models.history import Query
from tests.builders import (
    FIRST_VERSIONS,
    Versions,
    aliases_assigned,
    assignment,
    game_finished,
    game_started,
    prediction_made,
    training_completed,
)
from tests.gameplay.faults import (
    FaultyLedger,
    registry_with_versions,
)
from tests.gameplay.graphs import trained
from tests.gameplay.markers import markers_in

FAMILY: Family = "xgboost"
RULE = Rule(name=Z_TEST, alpha="0.20", minimum_games=3, minimum_predictions=30)


class House:
    """One database and one registry, in which processes come and go."""

    def __init__(self, engine: Engine, folder: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self.engine = engine
        self.ledger = FaultyLedger(engine, clock=clock)
        self.registry = registry_with_versions(count=6)
        self.folder = folder
        self.store = open_model_store(folder.as_uri()) if folder else None
        self._games = 0

    def process(self, load: Loader | None = None) -> Promotion:
        """A promotion as a new process would have it; several share the registry."""
        ledger = self.ledger
        return Promotion(ledger, ReadModels(ledger), self.registry, store=self.store, load=load)

    def bootstrap(self) -> None:
        for family in FAMILIES:
            self.ledger.append(promotion_stream(family), [aliases_assigned(model_type=family)], 0)

    def know_runs(self) -> None:
        """Have the ledger know the run behind each of the registry's versions, as of its own trainings."""
        for version in range(1, 7):
            self.ledger.record(training_completed(model_type=FAMILY, model_version=version))

    def recount(self) -> None:
        """Lose the family's model, and register six versions again, with the aliases where they were."""
        named = dict(self.registry.named[FAMILY])
        self.registry.lose(FAMILY)
        for _ in range(6):
            self.registry.register(FAMILY, trained())
        self.registry.named[FAMILY] = named

    def games(
        self,
        alias: Alias,
        played: int,
        won: int,
        *,
        version: int | None = None,
        swap_count: int = 0,
        versions: Versions = FIRST_VERSIONS,
        player_kind: PlayerKind = "human",
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
                "model_version": version or versions_of(assignment(versions))[alias],
                "swap_count": swap_count,
                "player_kind": player_kind,
            }
            started = game_started(**labels, assignment=assignment(versions))
            finished = game_finished(**labels, winner="bot" if number < won else "user")
            appends.append(self.ledger.prepare(f"game-{game_id}", [started, finished], 0))
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

    def markers(self) -> dict[Alias, int]:
        """The version that each marker in the store names."""
        assert self.folder is not None
        return {alias: version for alias, (version, _run_id) in markers_in(self.folder, FAMILY).items()}

    def assert_converged(self) -> None:
        assert self.registered() == self.aliases()
        if self.store is not None:
            assert tuple(self.markers()[alias] for alias in ALIASES) == self.aliases()
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


def cycle(promotion: Promotion) -> CycleDecided:
    decided = planning.cycle(promotion, FAMILY, trigger="manual", source="test")
    assert decided is not None
    return decided


def open_plan(process: Promotion, family: Family, after: Versions) -> None:
    """A plan that nothing has been done of yet, as a process that died leaves it."""
    state = process.state(family)
    process.append(state, [plan("manual", family, state.assignment(), assignment(after))])


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
    return [None if row.applied is None else bool(row.applied) for row in rows]


def settled(promotion: Promotion) -> bool:
    return [applying.settle(promotion, family) for family in FAMILIES] == [True] * len(FAMILIES)
