"""Who plays: a bot by its name, anybody else by an opaque id. Names stay out of the ledger and can be erased."""

from typing import NamedTuple

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.sqlite import insert

from gameplay.bots import bot_named
from ledger.engines import writing
from ledger.ids import keyed_id
from ledger.schema import players as table
from ledger.vocabulary import PlayerKind


class Player(NamedTuple):
    """A player as the ledger knows them."""

    kind: PlayerKind
    player_id: str


def identify(name: str | None, session_id: str, *, scripted: bool = False) -> Player:
    """A bot's name makes the player that bot; anybody else is known by an id derived from the session."""
    if name is not None and (bot := bot_named(name)):
        return Player("bot", bot)
    return Player("script" if scripted else "human", keyed_id("player", session_id))


def remember(engine: Engine, player_id: str, name: str) -> None:
    """Keep the display name of an opaque id; a later name replaces it."""
    statement = insert(table).values(player_id=player_id, name=name)
    with engine.connect() as connection, writing(connection).begin():
        connection.execute(
            statement.on_conflict_do_update(index_elements=["player_id"], set_={"name": statement.excluded.name})
        )


def name_of(engine: Engine, player_id: str) -> str | None:
    """The display name behind an opaque id, unless it was never given or has been erased."""
    with engine.connect() as connection:
        return connection.scalar(select(table.c.name).where(table.c.player_id == player_id))


def erase(engine: Engine, player_id: str) -> bool:
    """Forget the name; the ledger, which never knew it, stays as it is. False when there was none."""
    with engine.connect() as connection, writing(connection).begin():
        return connection.execute(delete(table).where(table.c.player_id == player_id)).rowcount > 0
