from ledger.events import Event
from ledger.evidence import Tally
from projections.projection import Tracked
from projections.read_models import version_pairs
from projections.read_models.version_pairs import PairWindow
from tests.builders import (
    FIRST_VERSIONS,
    Versions,
    aliases_assigned,
    assignment,
    assignments,
    game_abandoned,
    game_finished,
    game_started,
)
from tests.projections.stories import folded

TRAINED: Versions = (1, 5, 3, 4)


def window(*events: Event) -> PairWindow:
    """As a snapshot would bring it back."""
    tracked = Tracked(version_pairs.projection())
    tracked.state = folded(version_pairs.projection(), *events)
    tracked.restore(tracked.encode(), len(events))
    return tracked.state.windows["feedforward_nn"]


def moved(before: Versions, after: Versions, **changes: object) -> Event:
    return aliases_assigned(cause="training", assignments=assignments(before, after), **changes)


def started(game_id: str, versions: Versions = FIRST_VERSIONS, **changes: object) -> Event:
    labels = {"alias": "B", "model_version": versions[1], "assignment": assignment(versions), **changes}
    return game_started(game_id=game_id, **labels)


def finished(game_id: str, versions: Versions = FIRST_VERSIONS, **changes: object) -> Event:
    labels = {"alias": "B", "model_version": versions[1], "winner": "bot", **changes}
    return game_finished(game_id=game_id, **labels)


def test_a_family_without_aliases_has_no_pair() -> None:
    assert window(started("g"), finished("g")) == PairWindow()


def test_games_are_counted_by_alias_and_kind_of_player() -> None:
    found = window(
        aliases_assigned(),
        started("a"),
        started("b", player_kind="bot"),
        finished("a"),
        finished("b", player_kind="bot", winner="user"),
    )

    assert (found.since_position, found.pair) == (1, (1, 2))
    assert found.kinds == {
        "Production": {},
        "B": {"human": Tally(games=1, wins=1), "bot": Tally(games=1, wins=0)},
    }


def test_a_new_version_behind_either_alias_begins_a_new_window_whatever_the_cause() -> None:
    games = [aliases_assigned(), started("a"), finished("a")]

    for after in (TRAINED, (5, 2, 3, 4)):
        found = window(*games, moved(FIRST_VERSIONS, after))
        assert (found.since_position, found.pair, found.kinds["B"]) == (4, (after[0], after[1]), {})


def test_a_challenger_behind_no_played_alias_leaves_the_window() -> None:
    found = window(aliases_assigned(), started("a"), finished("a"), moved(FIRST_VERSIONS, (1, 2, 6, 3)))

    assert (found.since_position, found.kinds["B"]) == (1, {"human": Tally(games=1, wins=1)})


def test_a_swap_begins_a_new_window_for_games_that_know_of_it() -> None:
    swapped = moved(FIRST_VERSIONS, (2, 1, 3, 4), swapped=True)
    after: Versions = (2, 1, 3, 4)

    found = window(
        aliases_assigned(), started("a"), swapped, finished("a"), started("b", after), finished("b", after)
    )
    assert found.kinds["B"] == {}

    known = {"swap_count": 1}
    found = window(aliases_assigned(), swapped, started("b", after, **known), finished("b", after, **known))
    assert found.kinds["B"] == {"human": Tally(games=1, wins=1)}


def test_a_game_that_began_with_other_versions_does_not_count() -> None:
    """Not when it ends after the change, and not when its start is recorded a moment after it."""
    found = window(
        aliases_assigned(),
        started("before"),
        moved(FIRST_VERSIONS, TRAINED),
        started("raced"),
        finished("before"),
        finished("raced"),
    )

    assert found.kinds["B"] == {}


def test_versions_that_come_back_begin_at_nothing() -> None:
    found = window(
        aliases_assigned(),
        started("across"),
        moved(FIRST_VERSIONS, TRAINED),
        moved(TRAINED, FIRST_VERSIONS),
        finished("across"),
    )

    assert (found.since_position, found.kinds["B"]) == (4, {})


def test_what_is_no_evidence_is_not_counted_and_not_kept() -> None:
    found = window(
        aliases_assigned(),
        started("test", in_metrics=False),
        finished("test", in_metrics=False),
        started("fell back"),
        finished("fell back", fallback_affected=True),
        started("left"),
        game_abandoned(game_id="left", alias="B", model_version=2),
        started("open"),
    )

    assert (found.kinds["B"], list(found.playing)) == ({}, ["open"])
    assert found.counted().playing == {}
