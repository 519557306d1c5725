import pytest

from ledger.events import Event
from projections.decision import ranking
from projections.decision.ranking import rank, reorder
from projections.read_models import standings
from projections.read_models.standings import PromotionState, Record
from tests.builders import (
    Versions,
    aliases_assigned,
    assignment,
    game_abandoned,
    game_finished,
    game_started,
    prediction_made,
    rule,
)
from tests.projections.stories import folded

FAMILY = "feedforward_nn"
RULE = rule(minimum_predictions=30)


def promotion(**records: tuple[int, int]) -> PromotionState:
    """A family whose versions have (correct, predictions); v1 is version 1."""
    return PromotionState(
        records={
            int(name[1:]): Record(predictions=total, correct=right) for name, (right, total) in records.items()
        }
    )


def places(promotion: PromotionState, minimum: int = 30) -> list[str]:
    return [
        ranked.alias for ranked in rank(promotion, assignment((1, 2, 3, 4)), rule(minimum_predictions=minimum))
    ]


def test_challengers_are_ordered_by_their_versions_accuracy() -> None:
    shown = promotion(v1=(90, 90), v2=(30, 90), v3=(20, 40), v4=(40, 90))

    assert places(shown) == ["shadow1", "shadow2", "B"]
    ranked = rank(shown, assignment((1, 2, 3, 4)), RULE)
    assert [(one.alias, one.version, one.rank, one.correct, one.predictions) for one in ranked] == [
        ("shadow1", 3, 1, 20, 40),
        ("shadow2", 4, 2, 40, 90),
        ("B", 2, 3, 30, 90),
    ]


def test_a_tie_keeps_the_present_order() -> None:
    assert places(promotion(v2=(10, 30), v3=(20, 60), v4=(30, 90))) == ["B", "shadow1", "shadow2"]
    assert places(promotion(v2=(10, 30), v3=(40, 60), v4=(60, 90))) == ["shadow1", "shadow2", "B"]


@pytest.mark.parametrize(
    "records",
    [
        {},
        {"v2": (1, 30), "v3": (29, 29), "v4": (30, 30)},
        {"v2": (1, 30), "v3": (30, 30)},
        {"v2": (0, 1), "v3": (10_000, 10_000), "v4": (9_999, 10_000)},
    ],
)
def test_the_order_stays_while_one_challenger_has_too_few_predictions(records: dict[str, tuple[int, int]]) -> None:
    assert places(promotion(**records)) == ["B", "shadow1", "shadow2"]


def test_the_minimum_itself_is_enough() -> None:
    shown = promotion(v2=(1, 30), v3=(2, 30), v4=(3, 30))

    assert places(shown, 30) == ["shadow2", "shadow1", "B"]
    assert places(shown, 31) == ["B", "shadow1", "shadow2"]


def test_versions_without_predictions_keep_their_order_when_no_minimum_is_asked() -> None:
    assert places(promotion(), 0) == ["B", "shadow1", "shadow2"]


def test_a_reorder_moves_challengers_alone() -> None:
    before = assignment((1, 2, 3, 4))
    ranked = rank(promotion(v1=(0, 90), v2=(30, 90), v3=(80, 90), v4=(40, 90)), before, RULE)

    assert reorder(before, ranked) == assignment((1, 3, 4, 2))


@pytest.mark.parametrize(
    ("pinned", "after"),
    [
        ({"B"}, (1, 2, 3, 4)),
        ({"shadow1"}, (1, 4, 3, 2)),
        ({"shadow2"}, (1, 3, 2, 4)),
        ({"Production"}, (1, 3, 4, 2)),
        ({"B", "shadow2"}, (1, 2, 3, 4)),
        ({"B", "shadow1", "shadow2"}, (1, 2, 3, 4)),
    ],
)
def test_a_reorder_leaves_what_is_pinned_where_it_is(pinned: set[str], after: Versions) -> None:
    before = assignment((1, 2, 3, 4))
    ranked = rank(promotion(v2=(30, 90), v3=(80, 90), v4=(40, 90)), before, RULE)

    assert reorder(before, ranked, pinned) == assignment(after)


def test_ranks_are_those_before_the_move() -> None:
    before = assignment((1, 2, 3, 4))
    ranked = rank(promotion(v2=(30, 90), v3=(80, 90), v4=(40, 90)), before, RULE)
    after = reorder(before, ranked)

    assert {one.alias: (one.version, one.rank) for one in ranked} == {
        "shadow1": (3, 1),
        "shadow2": (4, 2),
        "B": (2, 3),
    }
    assert after.B == 3


def test_a_reorder_by_the_present_order_moves_nothing() -> None:
    before = assignment((1, 2, 3, 4))

    assert reorder(before, ranking.rank(promotion(), before, RULE)) == before


def test_a_record_goes_with_its_version_when_it_is_moved_behind_another_alias() -> None:
    given: list[Event] = [aliases_assigned()]
    given += [prediction_made(alias="shadow1", model_version=3, correct=True) for _ in range(30)]
    given += [prediction_made(alias="B", model_version=2, correct=False) for _ in range(30)]
    given += [prediction_made(alias="shadow2", model_version=4, correct=index < 10) for index in range(30)]
    family = folded(standings.projection(), *given).families[FAMILY]

    first = rank(family, assignment((1, 2, 3, 4)), RULE)
    second = rank(family, reorder(assignment((1, 2, 3, 4)), first), RULE)

    assert [one.version for one in first] == [3, 4, 2]
    assert [(one.alias, one.version) for one in second] == [("B", 3), ("shadow1", 4), ("shadow2", 2)]


@pytest.mark.parametrize(
    ("players", "versions"), [("all", [3, 4, 2]), ("human", [2, 4, 3])], ids=["everybody", "people alone"]
)
def test_challengers_are_ordered_by_the_rounds_of_the_rules_players(players: str, versions: list[int]) -> None:
    """A program's moves are easy to predict, and there are many of them."""
    given: list[Event] = [aliases_assigned()]
    for kind, hits in (
        ("script", {2: 0, 3: 90, 4: 60}),
        ("bot", {2: 0, 3: 90, 4: 60}),
        ("human", {2: 30, 3: 0, 4: 9}),
    ):
        given += [game_started(game_id=kind, player_kind=kind)]
        given += [
            prediction_made(game_id=kind, model_version=version, correct=number < correct)
            for version, correct in hits.items()
            for number in range(90 if kind != "human" else 30)
        ]
        ended = game_abandoned if kind == "bot" else game_finished
        given += [ended(game_id=kind, player_kind=kind)]
    states = folded(standings.projection(), *given)

    ranked = rank(states.families[FAMILY], assignment((1, 2, 3, 4)), rule(ranking_players=players))

    assert [one.version for one in ranked] == versions
    assert {one.predictions for one in ranked} == {210 if players == "all" else 30}
    assert states.of_programs == {}, "nothing of a game stays when it is over"
