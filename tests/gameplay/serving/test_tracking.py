import pytest

from gameplay.game.rules import is_cross_family
from gameplay.serving.tracking import Draws, in_order, is_drawn, set_tracking, settings_in
from ledger.events import CrossFamilySet
from ledger.store import Ledger
from ledger.streams import CROSS_FAMILY_STREAM
from ledger.vocabulary import PLAYER_KINDS
from tests.builders import cross_family_set, game_started


def by_settings(share: float) -> CrossFamilySet:
    return CrossFamilySet(share=share, players=PLAYER_KINDS, actor=None, reason=None)


def shares(ledger: Ledger) -> list[float]:
    return [event.share for _, event in settings_in(ledger)]


def test_a_game_keeps_the_draw_of_the_setting_before_its_start(ledger: Ledger) -> None:
    before, between, after = (game_started(game_id=game_id) for game_id in ("before", "between", "after"))
    ledger.record(before)
    set_tracking(ledger, cross_family_set(share=1.0))
    ledger.record(between)
    set_tracking(ledger, cross_family_set(share=0.0))
    ledger.record(after)

    draws = Draws(ledger)
    draws.draw([before, between, after])

    assert [draws.known(one.game_id) for one in (before, between, after)] == [False, True, False]


def test_an_auditor_draws_as_the_service_did(ledger: Ledger) -> None:
    games = [game_started(game_id=f"g{number}") for number in range(60)]
    positions = []
    for number, game in enumerate(games):
        if number % 20 == 0:
            set_tracking(ledger, cross_family_set(share=number / 40))
        positions.append(ledger.record(game).last_position)
    draws = Draws(ledger)
    draws.draw(games)

    again = [
        is_drawn(game, position, settings_in(ledger)) for game, position in zip(games, positions, strict=True)
    ]

    assert again == [draws.known(game.game_id) for game in games]
    assert again[20:40] == [is_cross_family(game.game_id, 0.5) for game in games[20:40]]
    assert (sum(again[:20]), sum(again[40:])) == (0, 20)


def test_players_who_are_not_named_are_left_out(ledger: Ledger) -> None:
    set_tracking(ledger, cross_family_set(share=1.0, players=("bot",)))
    kinds = {kind: game_started(game_id=kind, player_kind=kind) for kind in PLAYER_KINDS}
    for game in kinds.values():
        ledger.record(game)
    draws = Draws(ledger)

    draws.draw(kinds.values())

    assert [kind for kind in PLAYER_KINDS if draws.known(kind)] == ["bot"]


def test_a_draw_is_made_once_and_one_that_was_not_made_is_not_known(ledger: Ledger) -> None:
    game = game_started(game_id="g")
    draws = Draws(ledger)
    assert draws.known("g") is None

    draws.draw([game])  # it is not in this ledger, as after a failover
    set_tracking(ledger, cross_family_set(share=1.0))
    ledger.record(game)
    draws.draw([game])

    assert draws.known("g") is False


def test_the_same_setting_again_is_no_event(ledger: Ledger) -> None:
    assert set_tracking(ledger, by_settings(0.0)) is None, "nothing is set, and that is what it asks for"
    assert set_tracking(ledger, cross_family_set(share=0.3)) is not None
    assert set_tracking(ledger, cross_family_set(share=0.3, reason="again")) is None
    assert ledger.version(CROSS_FAMILY_STREAM) == 1


def test_a_restart_takes_back_nothing_and_another_setting_does(ledger: Ledger) -> None:
    set_tracking(ledger, by_settings(0.1))
    set_tracking(ledger, cross_family_set(share=0.5))

    assert set_tracking(ledger, by_settings(0.1)) is None
    assert shares(ledger) == [0.1, 0.5]

    set_tracking(ledger, by_settings(0.2))
    assert shares(ledger) == [0.1, 0.5, 0.2]


def test_what_an_operator_has_set_is_compared_with_what_holds(ledger: Ledger) -> None:
    set_tracking(ledger, cross_family_set(share=0.5))
    set_tracking(ledger, by_settings(0.2))

    assert set_tracking(ledger, cross_family_set(share=0.5)) is not None
    assert shares(ledger) == [0.5, 0.2, 0.5]


@pytest.mark.parametrize("kinds", [{"bot", "human"}, ["human", "bot"]])
def test_players_have_one_order(kinds: set[str]) -> None:
    assert in_order([kind for kind in PLAYER_KINDS if kind in kinds][::-1]) == ("human", "bot")
