import pytest
from sqlalchemy import Engine

from gameplay.game.players import Player, erase, identify, known_as, names_of, naming, players
from ledger.engines.database import transaction
from ledger.vocabulary import BOTS


@pytest.mark.parametrize("bot", BOTS)
def test_a_bots_name_makes_the_player_that_bot(bot: str) -> None:
    for name in (bot, bot.capitalize(), bot.upper()):
        assert identify(name, "s-1") == Player("bot", bot)
        assert identify(name, "s-1", scripted=True) == Player("bot", bot)


@pytest.mark.parametrize("name", [None, "Zoë", "cal ", "calvin", ""])
def test_any_other_player_is_known_by_an_opaque_id(name: str | None) -> None:
    player = identify(name, "s-1")

    assert player.kind == "human"
    assert len(player.player_id) == 36
    assert "s-1" not in player.player_id
    assert identify("another name", "s-1").player_id == player.player_id
    assert identify(name, "s-2").player_id != player.player_id
    assert identify(name, "s-1", scripted=True) == Player("script", player.player_id)


def test_a_name_is_kept_beside_the_ledger_and_can_be_erased(engine: Engine) -> None:
    with transaction(engine, write=[players]) as connection:
        for player_id, name in (("p-1", "Zoë"), ("p-2", "Max"), ("p-3", "Max"), ("p-1", "Zoë the Second")):
            connection.execute(*naming(player_id, name))

    assert (known_as(engine, "Zoë"), known_as(engine, "Zoë the Second")) == ([], ["p-1"])
    assert names_of(engine, ["p-1", "p-2", "p-4"]) == {"p-1": "Zoë the Second", "p-2": "Max"}
    assert (erase(engine, "Max"), erase(engine, "Max")) == (2, 0)
    assert (known_as(engine, "Max"), known_as(engine, "Zoë the Second")) == ([], ["p-1"])
