import threading
from collections.abc import Callable

import msgspec
import pytest
from sqlalchemy import Engine

from gameplay.promotion import adoption, applying, planning
from gameplay.promotion.reports import Recorded, Reported, body_digest, record
from gameplay.promotion.state import Promotion
from gameplay.refusals import Conflict, Invalid, Unavailable
from ledger.events import AliasesAssigned, CycleDecided, Event
from ledger.reported import Report, ReportedAssignment, ReportedRanking
from ledger.store import Ledger
from ledger.streams import promotion_stream
from ledger.vocabulary import ALIASES, Alias, Decision, Family
from projections.decision.cycle import plan
from projections.read_models.all import ReadModels
from projections.read_models.history import Query
from projections.read_models.history_row import render
from tests.builders import Versions, aliases_assigned, assignment, game_finished, game_started
from tests.gameplay.faults import FaultyLedger, FaultyRegistry, registry_with_versions
from tests.patience import PATIENCE_SECONDS

FAMILY: Family = "xgboost"


@pytest.fixture
def faulty(engine: Engine) -> FaultyLedger:
    """A ledger that knows the family's aliases, as 1 to 4."""
    ledger = FaultyLedger(engine)
    ledger.append(promotion_stream(FAMILY), [aliases_assigned(model_type=FAMILY)], 0)
    return ledger


@pytest.fixture
def registry() -> FaultyRegistry:
    return registry_with_versions(count=6)


@pytest.fixture
def promotion(faulty: FaultyLedger, registry: FaultyRegistry) -> Promotion:
    return Promotion(faulty, ReadModels(faulty), registry, turn_seconds_max=PATIENCE_SECONDS)


def reported(decision: Decision = "retain_production", body: str = "a", **changes: object) -> Reported:
    said = Report(body_sha256=body, **changes.pop("said", {}))  # type: ignore[arg-type]
    report = Reported(
        model_type=FAMILY,
        decision=decision,
        z_statistic=0.5,
        p_value=0.3,
        reorder_applied=False,
        reason="so it was",
        source="airflow",
        said=said,
    )
    return msgspec.structs.replace(report, **changes)


def assigned_to(*versions: int) -> dict[str, object]:
    """A report's assignments: the versions that it says are behind the aliases now."""
    named = zip(ALIASES, versions, strict=False)
    return {
        "alias_assignments": tuple(ReportedAssignment(alias=alias, version=version) for alias, version in named)
    }


def finish_a_game(ledger: Ledger, swap_count: int = 0) -> None:
    labels = {"model_type": FAMILY, "policy": "forrest", "swap_count": swap_count}
    ledger.append("game-g1", [game_started(**labels), game_finished(**labels)], 0)


def events(ledger: Ledger) -> list[Event]:
    return [ledger.decode(entry) for entry in ledger.read_stream(promotion_stream(FAMILY))]


def promotion_state(ledger: Ledger) -> tuple[Versions, int]:
    """The aliases and the number of swaps, after a replay."""
    read_models = ReadModels(ledger)
    with read_models.projector.current():
        family = read_models.standings.state.families[FAMILY]
        aliases = family.aliases
        return (aliases["Production"], aliases["B"], aliases["shadow1"], aliases["shadow2"]), family.swap_count


def applied(ledger: Ledger) -> list[object]:
    """What the history says of each cycle, the oldest first."""
    read_models = ReadModels(ledger)
    read_models.projector.start()
    rows = read_models.history.rows(Query(model_types=(FAMILY,), order="asc"))
    return [render(row)["applied"] for row in rows]


def counted(ledger: Ledger) -> dict[str, int]:
    read_models = ReadModels(ledger)
    with read_models.projector.current():
        decisions = read_models.counters.state.decisions
        return {decision: count for (family, decision), count in decisions.items() if family == FAMILY and count}


def test_a_report_without_a_move_is_one_cycle(faulty: FaultyLedger, promotion: Promotion) -> None:
    recorded = record(promotion, reported(), None)

    assert recorded.position == faulty.head().position
    decided = events(faulty)[-1]
    assert decided == recorded.event
    assert isinstance(decided, CycleDecided)
    assert (decided.cycle, decided.trigger, decided.source, decided.rule) == (1, "report", "airflow", None)
    assert (decided.z_statistic, decided.p_value, decided.reason_code) == (0.5, 0.3, "reported")
    assert decided.evidence is not None
    assert promotion_state(faulty) == ((1, 2, 3, 4), 0)
    assert counted(faulty) == {"retain_production": 1}


def test_a_reported_swap_moves_the_ledgers_aliases_and_no_others(
    faulty: FaultyLedger, promotion: Promotion, registry: FaultyRegistry
) -> None:
    finish_a_game(faulty)

    recorded = record(promotion, reported("swap_production_b"), None)

    assert registry.assigned == 0
    decided, moved = events(faulty)[-2:]
    assert decided == recorded.event
    assert isinstance(moved, AliasesAssigned)
    assert (moved.cause, moved.swapped, moved.reordered, moved.cycle, moved.plan) == (
        "report",
        True,
        False,
        1,
        None,
    )
    assert recorded.event.tickers.production_games == 0
    assert promotion_state(faulty) == ((2, 1, 3, 4), 1)
    assert counted(faulty) == {"swap_production_b": 1}


def test_a_swap_that_adoption_has_recorded_does_not_swap_again(
    faulty: FaultyLedger, promotion: Promotion, registry: FaultyRegistry
) -> None:
    registry.named[FAMILY] = dict(zip(ALIASES, (2, 1, 3, 4), strict=True))
    assert adoption.adopt(promotion, FAMILY) is not None

    planning.cycle(promotion, FAMILY, trigger="schedule", source="a cycle in between")
    record(promotion, reported("swap_production_b"), None)
    assert promotion_state(faulty) == ((2, 1, 3, 4), 1)
    assert applied(faulty)[-1] is True, "what the report records has been done"

    record(promotion, reported("swap_production_b"), None)
    assert promotion_state(faulty) == ((1, 2, 3, 4), 2), "the adopted swap has been claimed; this one is another"
    assert counted(faulty) == {"swap_production_b": 2, "insufficient_data": 1}


@pytest.mark.parametrize(("versions", "swaps"), [((2, 1, 3, 4), 1), ((2, 1), 1), ((1, 2), 0)])
def test_a_reports_versions_are_compared_with_the_ledgers(
    faulty: FaultyLedger, promotion: Promotion, versions: tuple[int, ...], swaps: int
) -> None:
    for _ in range(2):
        record(promotion, reported("swap_production_b", said=assigned_to(*versions)), None)

    assert promotion_state(faulty)[1] == swaps
    assert counted(faulty) == {"swap_production_b": 2}


@pytest.mark.parametrize(("decision", "flag"), [("alias_reorder", False), ("retain_production", True)])
def test_a_reported_re_rank_counts_once(
    faulty: FaultyLedger, promotion: Promotion, decision: Decision, flag: bool
) -> None:
    rankings = (
        ReportedRanking(alias="B", rank=1, source_alias="shadow1", accuracy=0.4),
        ReportedRanking(alias="shadow1", rank=2, source_alias="B", accuracy=0.3),
    )

    said = {"alias_rankings": rankings}
    recorded = record(promotion, reported(decision, reorder_applied=flag, said=said), None)

    assert recorded.event.reordered
    assert promotion_state(faulty) == ((1, 3, 2, 4), 0)
    expected = {"alias_reorder": 1} if decision == "alias_reorder" else {"alias_reorder": 1, decision: 1}
    assert counted(faulty) == expected


def test_a_re_rank_never_moves_production(faulty: FaultyLedger, promotion: Promotion) -> None:
    report = reported("retain_production", reorder_applied=True, said=assigned_to(6, 5, 2, 3))

    record(promotion, report, None)

    assert promotion_state(faulty) == ((1, 5, 2, 3), 0)


def test_a_ranking_with_half_of_the_moves_is_refused(faulty: FaultyLedger, promotion: Promotion) -> None:
    half = {"alias_rankings": (ReportedRanking(alias="B", rank=1, source_alias="shadow1"),)}

    with pytest.raises(Invalid, match="B and shadow1 are both version 3, which were on two"):
        record(promotion, reported("retain_production", reorder_applied=True, said=half), None)

    assert faulty.head().position == 1


def test_a_swap_beside_which_production_moves_on_is_the_exchange(
    faulty: FaultyLedger, promotion: Promotion, registry: FaultyRegistry
) -> None:
    moves = (("B", "shadow1"), ("shadow1", "Production"))
    rankings = tuple(
        ReportedRanking(alias=alias, rank=rank, source_alias=source)  # type: ignore[arg-type]
        for rank, (alias, source) in enumerate(moves, start=1)
    )
    report = reported("swap_production_b", reorder_applied=True, said={"alias_rankings": rankings})

    record(promotion, report, None)
    assert promotion_state(faulty) == ((2, 1, 3, 4), 1)
    registry.named[FAMILY] = dict(zip(ALIASES, (2, 3, 1, 4), strict=True))
    adoption.adopt(promotion, FAMILY)

    assert promotion_state(faulty) == ((2, 3, 1, 4), 1), "where the challengers have gone, the registry says"


def test_an_adopted_swap_may_be_reported_with_its_re_rank(
    faulty: FaultyLedger, promotion: Promotion, registry: FaultyRegistry
) -> None:
    registry.named[FAMILY] = dict(zip(ALIASES, (2, 1, 4, 3), strict=True))
    adoption.adopt(promotion, FAMILY)
    moves = (("B", "Production"), ("shadow1", "shadow2"), ("shadow2", "shadow1"))
    rankings = tuple(
        ReportedRanking(alias=alias, rank=rank, source_alias=source)  # type: ignore[arg-type]
        for rank, (alias, source) in enumerate(moves, start=1)
    )

    record(
        promotion,
        reported("swap_production_b", reorder_applied=True, said={"alias_rankings": rankings}),
        None,
    )

    assert promotion_state(faulty) == ((2, 1, 4, 3), 1)
    assert counted(faulty) == {"swap_production_b": 1, "alias_reorder": 1}


@pytest.mark.parametrize(
    "move",
    [
        lambda promotion: planning.assign(promotion, FAMILY, {"shadow2": 6}, cause="training"),
        lambda promotion: planning.move(promotion, FAMILY, assignment((2, 1, 4, 3)), cause="promotion"),
    ],
    ids=["training", "reorder"],
)
def test_an_adopted_swap_is_reported_after_challengers_have_moved(
    faulty: FaultyLedger, promotion: Promotion, registry: FaultyRegistry, move: Callable[[Promotion], object]
) -> None:
    registry.named[FAMILY] = dict(zip(ALIASES, (2, 1, 3, 4), strict=True))
    adoption.adopt(promotion, FAMILY)
    move(promotion)
    versions, _ = promotion_state(faulty)

    record(promotion, reported("swap_production_b"), None)

    assert promotion_state(faulty) == (versions, 1)
    assert tuple(registry.named[FAMILY][alias] for alias in ALIASES) == versions
    record(promotion, reported("swap_production_b"), None)
    assert promotion_state(faulty)[1] == 2, "the next one is another swap"


@pytest.mark.parametrize("versions", [(1, 2, 5, 5), (1, 1, 1, 1), (6, 6, 3, 4), (1, 2, 2, 4)])
@pytest.mark.parametrize("decision", ["retain_production", "swap_production_b", "insufficient_data"])
def test_one_version_behind_aliases_that_were_on_several_is_refused(
    faulty: FaultyLedger, promotion: Promotion, decision: Decision, versions: tuple[int, ...]
) -> None:
    with pytest.raises(Invalid, match="which were on two"):
        record(promotion, reported(decision, said=assigned_to(*versions)), None)

    assert faulty.head().position == 1


def test_a_report_waits_for_a_plan_that_has_just_been_made(faulty: FaultyLedger, promotion: Promotion) -> None:
    applying.settle(promotion, FAMILY)
    planned = plan("manual", FAMILY, assignment(), assignment((2, 1, 3, 4)))
    faulty.before_read(2, lambda: faulty.append(promotion_stream(FAMILY), [planned], 1))

    record(promotion, reported(), None)

    assert [type(event) for event in events(faulty)[-2:]] == [AliasesAssigned, CycleDecided]
    assert promotion_state(faulty) == ((2, 1, 3, 4), 1)


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("decision", ["retain_production", "swap_production_b", "alias_reorder"])
def test_a_version_that_does_not_exist_is_refused_for_every_alias(
    faulty: FaultyLedger, promotion: Promotion, registry: FaultyRegistry, decision: Decision, alias: Alias
) -> None:
    report = reported(decision, said={"alias_assignments": (ReportedAssignment(alias=alias, version=999),)})

    with pytest.raises(Invalid, match=f"{alias} is reported to be version 999 of xgboost, which does not exist"):
        record(promotion, report, None)
    registry.down = True
    with pytest.raises(Unavailable, match="version 999 of xgboost is new, and cannot be looked up"):
        record(promotion, report, None)

    assert faulty.head().position == 1


def test_a_report_for_a_family_without_aliases_is_kept(engine: Engine) -> None:
    ledger = Ledger(engine)
    promotion = Promotion(ledger, ReadModels(ledger), FaultyRegistry())

    recorded = record(promotion, reported("swap_production_b"), None)

    assert recorded.event.evidence is None
    assert len(events(ledger)) == 1
    assert counted(ledger) == {"swap_production_b": 1}


def test_a_re_rank_of_a_family_without_aliases_counts_once_and_moves_nothing(engine: Engine) -> None:
    ledger = Ledger(engine)
    promotion = Promotion(ledger, ReadModels(ledger), FaultyRegistry())

    recorded = record(promotion, reported("alias_reorder", reorder_applied=True), None)

    assert not recorded.event.reordered
    assert counted(ledger) == {"alias_reorder": 1}


def test_the_same_key_gets_the_first_answer(faulty: FaultyLedger, promotion: Promotion) -> None:
    first = record(promotion, reported("swap_production_b"), "k")
    head = faulty.head()
    finish_a_game(faulty, swap_count=1)

    assert record(promotion, reported("swap_production_b"), "k") == first
    assert faulty.head().position == head.position + 2

    with pytest.raises(Conflict, match="belongs to another report, at position 2"):
        record(promotion, reported("swap_production_b", body="b"), "k")
    other = record(promotion, reported("retain_production"), "another")
    assert other.position > first.position


def test_the_same_key_at_once_is_recorded_once(faulty: FaultyLedger, registry: FaultyRegistry) -> None:
    answers: list[Recorded] = []

    def send() -> None:
        mine = Promotion(faulty, ReadModels(faulty), registry)
        answers.append(record(mine, reported("swap_production_b"), "k"))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 6
    assert all(answer == answers[0] for answer in answers)
    assert promotion_state(faulty) == ((2, 1, 3, 4), 1)
    assert len(events(faulty)) == 3


def test_a_report_yields_to_a_decision_made_meanwhile(
    faulty: FaultyLedger, promotion: Promotion, registry: FaultyRegistry
) -> None:
    other = Promotion(faulty, ReadModels(faulty), registry)
    faulty.before_append(1, lambda: planning.cycle(other, FAMILY, trigger="schedule", source="scheduler"))

    recorded = record(promotion, reported(), None)

    assert recorded.event.cycle == 2


def test_a_report_waits_for_an_open_plan(
    faulty: FaultyLedger, promotion: Promotion, registry: FaultyRegistry
) -> None:
    registry.down = True
    assert not planning.move(promotion, FAMILY, assignment((2, 1, 3, 4)), cause="manual")
    with pytest.raises(Conflict, match="open plan"):
        record(promotion, reported(), None)

    registry.down = False
    record(promotion, reported(), None)

    assert promotion_state(faulty) == ((2, 1, 3, 4), 1)
    assert registry.named[FAMILY]["Production"] == 2


@pytest.mark.parametrize(
    ("body", "same"),
    [
        (b'{"b": [1, 2], "a": {"y": 1, "x": 2}}', True),
        (b'\n{"a":{"x":2,"y":1},"b":[1,2]}', True),
        (b'{"a": {"x": 2, "y": 1}, "b": [2, 1]}', False),
        (b'{"a": {"x": 2, "y": 1.0}, "b": [1, 2]}', False),
    ],
)
def test_two_bodies_are_one_by_their_value(body: bytes, same: bool) -> None:
    first = body_digest({"a": {"x": 2, "y": 1}, "b": [1, 2]})

    assert (body_digest(msgspec.json.decode(body)) == first) is same


def test_reports_at_once_are_all_recorded(faulty: FaultyLedger, promotion: Promotion) -> None:
    answers: list[Recorded] = []

    def send(sender: int) -> None:
        keys = [f"{sender}-{number}" for number in range(10)]
        answers.extend(record(promotion, reported(body=key), key) for key in keys)

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 80
    cycles = [event.cycle for event in events(faulty) if isinstance(event, CycleDecided)]
    assert cycles == list(range(1, 81))


def test_a_report_does_not_wait_for_ever_for_a_registry_that_hangs(
    faulty: FaultyLedger, registry: FaultyRegistry
) -> None:
    mine = Promotion(faulty, ReadModels(faulty), registry, turn_seconds_max=0.01)
    hangs, goes_on = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        goes_on.wait()

    registry.at_call(1, hang)
    slow = threading.Thread(target=adoption.adopt, args=(mine, FAMILY))
    slow.start()
    hangs.wait()

    with pytest.raises(Unavailable, match="the aliases of xgboost are being moved; try again"):
        record(mine, reported(), None)

    goes_on.set()
    slow.join()
    record(mine, reported(), None)
