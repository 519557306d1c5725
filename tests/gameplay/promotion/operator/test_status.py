from datetime import UTC, datetime

import pytest
from msgspec import structs
from sqlalchemy import Engine

from gameplay.promotion import adoption
from gameplay.promotion.operator.status import Status
from gameplay.promotion.operator.status import status as status_of
from gameplay.promotion.rules import set_rules
from ledger.evidence import Tally
from ledger.vocabulary import ALIASES
from projections.decision.rules import DEFAULT
from tests.gameplay.faults import crash
from tests.gameplay.promotion.house import FAMILY, House, cycle
from tests.gameplay.promotion.operator.ordering import SECOND_US, order, pin, swap
from tests.projections.stories import BEGIN_US, Clock

FIRING = datetime(2026, 11, 26, 18, 30, tzinfo=UTC)


def status(house: House) -> Status:
    return status_of(house.process(), FAMILY, FIRING)


def test_a_family_that_has_done_nothing_has_its_aliases_and_a_verdict(house: House) -> None:
    found = status(house)

    assert [(one.alias, one.version, one.cause) for one in found.aliases] == [
        (alias, version, "bootstrap") for version, alias in enumerate(ALIASES, start=1)
    ]
    assert (found.cycle, found.last_cycle, found.next_cycle) == (0, None, "2026-11-26T18:30:00Z")
    assert found.verdict is not None
    assert (found.verdict.decision, found.verdict.reason_code) == ("insufficient_data", "too_few_games")
    assert (found.verdict.production_games_missing, found.verdict.b_games_missing) == (3, 3)
    assert [(one.rule, one.decision) for one in found.verdicts] == [
        ("ztest/1", "insufficient_data"),
        ("anytime-sign/1", "insufficient_data"),
    ]
    assert (found.open_plan, found.plan) == (None, None)


def test_a_family_without_aliases_has_no_verdict(engine: Engine) -> None:
    found = status(House(engine))

    assert (found.aliases, found.verdict, found.verdicts, found.traffic) == ((), None, (), None)


def test_since_when_and_why_each_version_is_where_it_is(house: House, clock: Clock) -> None:
    clock.now += 60
    house.better_b()
    cycle(house.process())
    clock.now += 60
    order(house, swap(4))

    behind = {one.alias: one for one in status(house).aliases}

    assert (behind["Production"].cause, behind["Production"].actor, behind["Production"].cycle) == (
        "manual",
        "ada",
        None,
    )
    assert (behind["B"].cause, behind["B"].cycle) == ("promotion", 1)
    assert behind["B"].since == "2025-10-10T08:01:00.000000Z"
    assert behind["shadow1"].cause == "bootstrap"


def test_the_evidence_and_how_far_a_swap_is(house: House) -> None:
    house.games("Production", 6, 3)
    house.games("B", 6, 3)

    found = status(house)

    assert (found.production, found.b) == (Tally(games=6, wins=3), Tally(games=6, wins=3))
    assert found.verdict is not None
    assert (found.verdict.reason_code, found.verdict.held) == ("not_better", False)
    assert found.verdict.b_wins_in_a_row == 5


def test_what_holds_a_swap_back_is_named(house: House) -> None:
    house.better_b()
    order(house, pin("B", expires_us=BEGIN_US + 60 * SECOND_US))

    found = status(house)

    assert found.verdict is not None
    assert (found.verdict.reason_code, found.verdict.held) == ("pinned", True)
    (held,) = [one.pin for one in found.aliases if one.pin]
    assert (held.version, held.actor, held.expires, held.is_broken) == (
        2,
        "ada",
        "2025-10-10T08:01:00.000000Z",
        False,
    )


def test_a_pin_that_an_outside_tool_has_broken_is_shown(house: House) -> None:
    order(house, pin("Production"))
    house.registry.named[FAMILY] = dict(zip(ALIASES, (2, 1, 3, 4), strict=True))
    adoption.adopt(house.process(), FAMILY)

    production = status(house).aliases[0]

    assert production.pin is not None
    assert (production.version, production.pin.version, production.pin.is_broken) == (2, 1, True)
    assert production.cause == "registry"


def test_a_plan_that_waits_is_shown_with_its_time(house: House) -> None:
    set_rules(house.process(), {FAMILY: structs.replace(DEFAULT, approval_seconds=3_600)}, actor="settings")
    house.better_b()
    cycle(house.process())

    found = status(house)

    assert found.plan is not None
    assert (found.plan.waits, found.plan.approve_by) == (True, "2025-10-10T09:00:00.000000Z")
    assert found.open_plan == found.plan.version == 4
    assert found.verdict is not None
    assert found.verdict.reason_code == "awaiting_approval"


def test_a_plan_that_cannot_be_completed_is_shown_with_its_problem(house: House) -> None:
    house.better_b()
    house.registry.down = True
    process = house.process()
    cycle(process)

    found = status_of(process, FAMILY, None, lambda text: text.replace("down", "***"))

    assert found.plan is not None
    assert not found.plan.waits
    assert found.plan.problem is not None
    assert found.plan.problem.endswith("it is ***")
    assert found.next_cycle is None


def test_the_hours_that_the_missing_games_take_go_by_the_last_day(house: House, clock: Clock) -> None:
    house.games("Production", 12, 6)
    clock.now += 25 * 3_600
    house.games("Production", 12, 6)
    house.games("B", 24, 12)

    traffic = status(house).traffic

    assert traffic is not None
    assert traffic.games_last_day == 36
    assert traffic.games_needed is not None
    assert traffic.games_missing == traffic.games_needed - 24
    assert traffic.hours == pytest.approx((traffic.games_needed - 24) / (12 / 24))


def test_without_games_in_the_last_day_nobody_knows_the_hours(house: House, clock: Clock) -> None:
    house.games("Production", 12, 6)
    house.games("B", 12, 6)
    clock.now += 26 * 3_600

    traffic = status(house).traffic

    assert traffic is not None
    assert (traffic.games_last_day, traffic.hours) == (0, None)


def test_a_status_writes_nothing(house: House) -> None:
    house.registry.at_call(1, crash)
    head = house.ledger.head()

    status(house)

    assert house.ledger.head() == head
