from typing import Final

from gameplay.web.console.as_of import AsOf, Looked
from gameplay.web.console.family_cards import family_card, rate
from ledger.events import Event
from ledger.store import Ledger
from projections.read_models.all import ReadModels
from projections.read_models.states import states_of
from tests.builders import (
    alias_pinned,
    aliases_assigned,
    aliases_planned,
    cycle_decided,
    game_finished,
    game_started,
    rule,
    rule_set,
)
from tests.projections.stories import append

FAMILY: Final = "feedforward_nn"


def looked(ledger: Ledger, *events: Event) -> Looked:
    if events:
        append(ledger, *events)
    read_models = ReadModels(ledger, read_only=True)
    with read_models.projector.current() as position:
        as_of = AsOf(position=position, recorded=None, head=position, is_past=False)
        return Looked(as_of, states_of(read_models), ledger.now_us())


def whole_game(number: int, alias: str, model_version: int, winner: str) -> tuple[Event, Event]:
    played = {"game_id": f"{alias}-{number}", "alias": alias, "model_version": model_version}
    return game_started(**played), game_finished(**played, winner=winner)


def test_a_family_without_aliases_has_an_empty_card(ledger: Ledger) -> None:
    card = family_card(looked(ledger), FAMILY)

    assert (card.production, card.b, card.criterion, card.difference) == (None, None, None, None)


def test_the_sides_have_their_games_with_intervals(ledger: Ledger) -> None:
    sides = (("Production", 1, "bot"), ("B", 2, "user"))
    games = [event for side in sides for number in range(3) for event in whole_game(number, *side)]

    card = family_card(looked(ledger, aliases_assigned(), *games), FAMILY)

    assert card.production is not None
    assert card.difference is not None
    assert (card.production.wins.hits, card.production.wins.tries) == (3, 3)
    assert card.difference.value == -1.0
    assert card.difference.lower <= -1.0 <= card.difference.upper
    assert card.games_since_swap == 6


def test_an_open_plan_is_pending_with_the_aliases_that_it_moves(ledger: Ledger) -> None:
    card = family_card(looked(ledger, aliases_assigned(), cycle_decided(), aliases_planned()), FAMILY)

    assert card.pending is not None
    assert card.pending.moves == ("Production v1 \u2192 v2", "B v2 \u2192 v1")


def test_a_pin_is_on_the_card_with_its_reason_until_it_expires(ledger: Ledger) -> None:
    held = alias_pinned(alias="Production", version=1, expires_us=None, reason="it is being watched")
    expired = alias_pinned(alias="B", version=2, expires_us=1)

    card = family_card(looked(ledger, aliases_assigned(), held, expired), FAMILY)

    (pin,) = card.pinned
    assert (pin.alias, pin.version, pin.until, pin.reason) == ("Production", 1, None, "it is being watched")


def test_a_rule_that_settles_counts_its_own_games(ledger: Ledger) -> None:
    anytime = rule_set(rule=rule(name="anytime-sign/1", settle_seconds=1_800))

    card = family_card(looked(ledger, aliases_assigned(), anytime), FAMILY)

    assert card.criterion is not None
    assert (card.criterion.rule, card.criterion.settle_seconds) == ("anytime-sign/1", 1_800)


def test_a_rule_of_another_release_has_no_numbers_here(ledger: Ledger) -> None:
    unknown = rule_set(rule=rule(name="of-tomorrow/9"))

    assert family_card(looked(ledger, aliases_assigned(), unknown), FAMILY).criterion is None


def test_a_rate_of_nothing_has_no_share() -> None:
    assert rate(0, 0).share is None
    assert rate(1, 2).share == 0.5
