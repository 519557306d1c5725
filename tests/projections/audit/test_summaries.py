import pytest

from ledger.events import Event
from projections.audit.summaries import summary
from tests.builders import (
    FIRST_VERSIONS,
    alias_pinned,
    alias_unpinned,
    aliases_assigned,
    aliases_planned,
    assignments,
    clock_accepted,
    cross_family_set,
    cycle_decided,
    fell_back,
    game_abandoned,
    game_finished,
    game_started,
    ledger_accepted,
    models_reloaded,
    one_of_each,
    parity_checked,
    plan_approved,
    plan_rejected,
    prediction_made,
    round_played,
    rule_set,
    training_completed,
)

SUMMARIES = [
    (game_started(), "p1 against brian, Production v1"),
    (game_started(policy="gus", alias=None, model_version=None), "p1 against gus"),
    (round_played(), "round 1: paper against rock, win, 1.2:0"),
    (prediction_made(), "round 1: Production v1 said paper, right"),
    (prediction_made(actual="rock", correct=False), "round 1: Production v1 said paper, wrong, it was rock"),
    (fell_back(), "round 1: Production fell back, predict_error"),
    (game_finished(), "user won 10.5:8.4 after 21 rounds"),
    (game_abandoned(), "after 4 rounds, idle for 1800 s"),
    (cycle_decided(), "cycle 1, schedule: swap_production_b, better"),
    (rule_set(), "anytime-sign/1, alpha 0.20, set by settings"),
    (aliases_planned(), "promotion: Production v1 -> v2, B v2 -> v1, shadow1 v3, shadow2 v4"),
    (aliases_assigned(), "bootstrap: Production v1, B v2, shadow1 v3, shadow2 v4"),
    (
        aliases_assigned(
            cause="manual",
            actor="ada",
            reason="it lost",
            undoes=7,
            assignments=assignments(FIRST_VERSIONS, (2, 1, 3, 4)),
        ),
        "manual by ada, undoing position 7: Production v1 -> v2, B v2 -> v1, shadow1 v3, shadow2 v4: it lost",
    ),
    (alias_pinned(), "B is held at v2, by ada: a campaign runs until Monday"),
    (
        alias_pinned(expires_us=1_760_083_200_000_000, reason=None),
        "B is held at v2 until 2025-10-10T08:00:00.000000Z, by ada",
    ),
    (alias_unpinned(), "B is held at v2 no more, by ada: the campaign is over"),
    (alias_unpinned(reason=None), "B is held at v2 no more, by ada"),
    (alias_unpinned(cause="expired", actor=None, reason=None), "B is held at v2 no more, expired"),
    (plan_approved(), "plan 3 is approved by ada: the evidence is sound"),
    (plan_approved(reason=None), "plan 3 is approved by ada"),
    (plan_rejected(), "plan 3 is rejected by ada: not before Monday"),
    (plan_rejected(reason=None), "plan 3 is rejected by ada"),
    (plan_rejected(cause="expired", actor=None, reason=None), "plan 3 was not approved in time"),
    (training_completed(), "success for shadow2, v5"),
    (training_completed(status="failure", model_version=None), "failure for shadow2"),
    (models_reloaded(), "1 loaded, 1 failed"),
    (parity_checked(), "v1, 400 rounds of cal's: 0 differences"),
    (cross_family_set(), "10% of the games of human, bot, set by ada: a look at the others"),
    (cross_family_set(actor=None, reason=None), "10% of the games of human, bot, set by the settings"),
    (ledger_accepted(), "goes on after position 7, where position 12 was known: restored a backup"),
    (ledger_accepted(known=None), "goes on after position 7: restored a backup"),
    (clock_accepted(), "the clock's 2033-05-18T03:33:20.000000Z stands: it was wrong before"),
]


@pytest.mark.parametrize(("event", "line"), SUMMARIES)
def test_an_event_is_one_line(event: Event, line: str) -> None:
    assert summary(event) == line


def test_no_type_of_event_is_left_out() -> None:
    assert {type(event) for event, _ in SUMMARIES} == {type(event) for event in one_of_each()}
