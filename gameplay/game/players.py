"""Players: scripted ones are known by name, all others by an opaque id.

Display names stay out of the ledger and can be erased.
"""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Column, Engine, MetaData, Table, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from gameplay.game.bots import script_named
from ledger.engines.beside import Beside
from ledger.engines.database import transaction
from ledger.ids import keyed_id
from ledger.schema import Words
from ledger.vocabulary import PlayerKind

metadata = MetaData()
players = Table(
    "players",
    metadata,
    Column("player_id", Words, primary_key=True),
    Column("name", Words, nullable=False),
    sqlite_strict=True,
)


_NAMED = insert(players).values(player_id=bindparam("player_id"), name=bindparam("name"))
_NAMING = _NAMED.on_conflict_do_update(index_elements=["player_id"], set_={"name": _NAMED.excluded.name})


class Player(NamedTuple):
    """A player as the ledger knows them."""

    kind: PlayerKind
    player_id: str


def identify(name: str | None, session_id: str, *, scripted: bool = False) -> Player:
    """The script that `name` names, or a player under an id derived from the session."""
    if name is not None and (bot := script_named(name)):
        return Player("bot", bot)
    return Player("script" if scripted else "human", keyed_id("player", session_id))


def naming(player_id: str, name: str) -> Beside:
    """What keeps the display name of an opaque id; a later name replaces it."""
    return Beside(_NAMING, {"player_id": player_id, "name": name})


def names_of(engine: Engine, player_ids: Collection[str]) -> dict[str, str]:
    """The display names of these opaque ids, of those that have one. Raises StorageError."""
    with transaction(engine) as connection:
        found = connection.execute(select(players).where(players.c.player_id.in_(player_ids)))
        return {row.player_id: row.name for row in found}


def known_as(engine: Engine, name: str) -> list[str]:
    """The opaque ids of the players who gave this display name. Raises StorageError."""
    with transaction(engine) as connection:
        return list(connection.scalars(select(players.c.player_id).where(players.c.name == name)))


def name_of(engine: Engine, player_id: str) -> str | None:
    """The display name of an opaque id, if there is one and it was not erased. Raises StorageError."""
    with transaction(engine) as connection:
        return connection.scalar(select(players.c.name).where(players.c.player_id == player_id))


def erase_of(engine: Engine, session_id: str) -> bool:
    """Erase the display name of a session's player; the ledger never held it. Says whether there was one.

    Raises StorageError.
    """
    mine = players.c.player_id == identify(None, session_id).player_id
    with transaction(engine, write=[players]) as connection:
        return bool(connection.execute(delete(players).where(mine)).rowcount)


def erase(engine: Engine, name: str) -> int:
    """Erase a display name; the ledger never held it. Returns how many players had it.

    Raises StorageError.
    """
    with transaction(engine, write=[players]) as connection:
        return connection.execute(delete(players).where(players.c.name == name)).rowcount
