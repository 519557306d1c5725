from typing import Any

from ledger.entries import Entry
from ledger.events import Event
from projections.projection import Tracked, readers
from projections.read_models import timeline
from projections.read_models.timeline import HOUR_US, HOURS_OF_TRAFFIC, LINES_KEPT, MINUTE_US, MINUTES_KEPT
from tests.builders import (
    alias_pinned,
    alias_unpinned,
    aliases_assigned,
    aliases_planned,
    assignments,
    cycle_decided,
    game_finished,
    plan_approved,
    round_played,
    training_completed,
)
from tests.projections.stories import folded


def swap(**changes: Any) -> Event:
    moved = assignments((1, 2, 3, 4), (2, 1, 3, 4))
    return aliases_assigned(cause="promotion", cycle=1, plan=3, assignments=moved, swapped=True, **changes)


def test_since_names_the_cycle_that_moved_the_alias_when_one_did() -> None:
    state = folded(timeline.projection(), aliases_assigned(), cycle_decided(), swap()).families["feedforward_nn"]

    production, shadow = state.since["Production"], state.since["shadow1"]
    assert (production.version, production.position, production.cause) == (2, 3, "promotion")
    assert production.decided is not None
    assert (production.decided.position, production.decided.cycle) == (2, 1)
    assert (shadow.version, shadow.position, shadow.cause, shadow.decided) == (3, 1, "bootstrap", None)


def test_since_names_the_cycle_that_planned_a_swap_when_it_was_approved_after_others() -> None:
    others = [cycle_decided(cycle=2), cycle_decided(cycle=3)]
    planned = aliases_planned(cycle=1, approve_by_us=1)
    first = (aliases_assigned(), cycle_decided(), planned)
    reordered = assignments((2, 1, 3, 4), (2, 3, 1, 4))

    approved = folded(timeline.projection(), *first, *others, plan_approved(), swap())
    by_hand = folded(
        timeline.projection(), *first, *others, swap(), aliases_assigned(cause="manual", assignments=reordered)
    )

    production = approved.families["feedforward_nn"].since["Production"]
    assert production.decided is not None
    assert (production.decided.position, production.decided.cycle) == (2, 1)
    assert approved.lines(1)[0].decided_position == 2
    assert by_hand.lines(1)[0].decided_position is None
    assert by_hand.families["feedforward_nn"].since["B"].decided is None


def test_lines_are_the_moves_and_trainings_of_all_families_newest_first() -> None:
    reordered = aliases_assigned(
        cause="promotion", cycle=2, assignments=assignments((2, 1, 3, 4), (2, 3, 1, 4)), reordered=True
    )
    by_hand = aliases_assigned(model_type="xgboost", cause="manual")
    failed = training_completed(model_type="xgboost", status="failure", model_version=None, error="no rows")
    state = folded(timeline.projection(), aliases_assigned(), cycle_decided(), swap(), reordered, by_hand, failed)

    lines = state.lines(4)

    assert [line.kind for line in lines] == ["training", "move", "reorder", "swap"]
    assert [line.cause for line in lines] == [None, "manual", "promotion", "promotion"]
    assert [change.alias for change in lines[3].changes] == ["Production", "B"]
    assert lines[3].decided_position == 2
    assert lines[0].status == "failure"


def test_what_an_operator_does_has_a_name_and_a_reason() -> None:
    by_hand = aliases_assigned(
        cause="manual", assignments=assignments((1, 2, 3, 4), (3, 2, 1, 4)), actor="ada", reason="a test"
    )
    expired = alias_unpinned(cause="expired", actor=None, reason=None)
    state = folded(timeline.projection(), aliases_assigned(), by_hand, alias_pinned(), expired)

    ended, pinned, moved = state.lines(3)

    assert (moved.kind, moved.actor, moved.reason) == ("move", "ada", "a test")
    assert (pinned.kind, pinned.alias, pinned.version, pinned.actor) == ("pin", "B", 2, "ada")
    assert (ended.kind, ended.alias, ended.actor, ended.reason) == ("unpin", "B", None, None)
    since = state.families["feedforward_nn"].since
    assert (since["Production"].actor, since["B"].actor) == ("ada", None)


def test_a_cancelled_plan_is_no_line() -> None:
    kept = aliases_assigned(cause="manual", plan=2, assignments=assignments((1, 2, 3, 4), (1, 2, 3, 4)))

    state = folded(timeline.projection(), aliases_assigned(), kept)

    assert len(state.lines(10)) == 1
    assert state.families["feedforward_nn"].since["Production"].position == 1


def test_the_newest_lines_are_kept_when_there_are_many() -> None:
    state = folded(
        timeline.projection(), *(training_completed(model_version=version) for version in range(1, LINES_KEPT + 5))
    )

    assert [line.version for line in state.lines(2)] == [LINES_KEPT + 4, LINES_KEPT + 3]
    assert len(state.families["feedforward_nn"].lines) == LINES_KEPT


def test_rounds_are_counted_by_the_minute_when_old_minutes_fall_out() -> None:
    tracked = Tracked(timeline.projection())
    (reader,) = readers([tracked])["game.round_played"]
    for minute in (100, 100, 101, 100 + MINUTES_KEPT):
        reader.take(round_played(), Entry(1, "", "", 1, "", 1, minute * MINUTE_US + 7, b"", b""))

    assert tracked.state.rounds == {101: 1, 100 + MINUTES_KEPT: 1}
    assert tracked.state.rounds_between(100, 101) == 1


def test_games_that_are_evidence_are_counted_by_the_hour_and_old_hours_fall_out() -> None:
    tracked = Tracked(timeline.projection())
    (reader,) = readers([tracked])["game.finished"]
    for hour, event in (
        (10, game_finished()),
        (10, game_finished(in_metrics=False)),
        (10, game_finished(fallback_affected=True)),
        (11, game_finished(alias="B")),
        (11 + HOURS_OF_TRAFFIC, game_finished()),
    ):
        reader.take(event, Entry(1, "", "", 1, "", 1, hour * HOUR_US + 7, b"", b""))

    family = tracked.state.families["feedforward_nn"]
    assert family.games == {11: {"Production": 0, "B": 1}, 11 + HOURS_OF_TRAFFIC: {"Production": 1, "B": 0}}
    assert family.games_since(11 * HOUR_US) == {"Production": 1, "B": 0}
