from collections import Counter
from collections.abc import Sequence

from hypothesis import given

from ledger.events import Event
from ledger.vocabulary import FAMILIES
from projections.projection import Tracked
from projections.read_models import records_by_player, standings
from projections.read_models.records_by_player import Seat, Shown
from tests.builders import aliases_assigned, game_abandoned, game_finished, game_started, prediction_made
from tests.histories import histories
from tests.projections.stories import folded

CAL = {"player_kind": "bot", "player_id": "cal"}


def versions(*events: Event, family: str = "feedforward_nn") -> dict[int, dict[str, Shown]]:
    """As a snapshot would bring it back."""
    tracked = Tracked(records_by_player.projection())
    tracked.state = folded(records_by_player.projection(), *events)
    tracked.restore(tracked.encode(), len(events))
    return tracked.state.families[family].versions


def test_a_scripted_player_goes_by_its_name_and_others_by_their_kind() -> None:
    found = versions(
        game_started(game_id="a", **CAL),
        game_started(game_id="b"),
        game_started(game_id="c", player_kind="script", player_id="x"),
        prediction_made(game_id="a", model_version=1, correct=True),
        prediction_made(game_id="a", model_version=4, alias="shadow2", correct=False),
        prediction_made(game_id="b", model_version=1, correct=False),
        game_finished(game_id="a", player_kind="bot", model_version=1, winner="bot"),
        game_finished(game_id="b", model_version=1, winner="user"),
        game_finished(game_id="c", player_kind="script", model_version=1, winner="tie"),
    )

    assert found == {
        1: {
            "cal": Shown(games=1, wins=1, predictions=1, correct=1),
            "human": Shown(games=1, predictions=1),
            "script": Shown(games=1),
        },
        4: {"cal": Shown(predictions=1)},
    }


def test_a_swap_begins_anew_and_takes_no_game_that_began_before_it() -> None:
    found = versions(
        game_started(game_id="across", **CAL),
        game_started(game_id="past", **CAL),
        game_finished(game_id="past", player_kind="bot"),
        aliases_assigned(cause="promotion", swapped=True),
        prediction_made(game_id="across", model_version=2),
        game_finished(game_id="across", player_kind="bot", swap_count=0),
    )

    assert {version: list(players) for version, players in found.items()} == {2: ["cal"]}
    assert found[2]["cal"].games == 0


def test_open_games_alone_are_kept() -> None:
    state = folded(
        records_by_player.projection(),
        game_started(game_id="a"),
        game_started(game_id="b"),
        game_started(game_id="c"),
        game_started(game_id="d", in_metrics=False),
        game_finished(game_id="a"),
        game_abandoned(game_id="b"),
    )

    assert state.playing == {"c": Seat("feedforward_nn", "human")}


def test_what_another_family_predicts_beside_a_game_does_not_count() -> None:
    beside = prediction_made(game_id="a", model_type="xgboost", model_version=1)

    assert versions(game_started(game_id="a"), beside, family="xgboost") == {}


@given(histories())
def test_all_players_together_are_the_records_of_the_versions(events: Sequence[Event]) -> None:
    by_player = folded(records_by_player.projection(), *events)
    records = folded(standings.projection(), *events)

    for family in FAMILIES:
        together = {
            version: sum((Counter(_numbers(one)) for one in players.values()), Counter())
            for version, players in by_player.families[family].versions.items()
        }
        whole = {version: Counter(_numbers(one)) for version, one in records.families[family].records.items()}
        assert {key: +value for key, value in together.items()} == {key: +value for key, value in whole.items()}


def _numbers(one: object) -> dict[str, int]:
    return {name: getattr(one, name) for name in ("games", "wins", "predictions", "correct")}
