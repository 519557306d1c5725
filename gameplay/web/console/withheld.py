"""What is not shown of a game that is neither finished nor abandoned: it would tell its player the bot's moves."""

from collections.abc import Mapping
from typing import Final

from ledger.events import GameAbandoned, GameFinished, GameStarted, PredictionMade, wire_name
from ledger.store import Ledger
from ledger.streams import GAME_PREFIXES, game_stream

WITHHELD: Final[Mapping[str, frozenset[str]]] = {
    wire_name(GameStarted): frozenset({"opening", "bot_seed"}),
    wire_name(PredictionMade): frozenset({"probabilities", "predicted", "correct"}),
}
"""Type of an event -> fields of its payload."""
_ENDS: Final = frozenset({wire_name(GameFinished), wire_name(GameAbandoned)})


def is_open(ledger: Ledger, game_id: str) -> bool:
    """Whether a game goes on, at the head: a look back shows nothing that a look at the present does not."""
    stream = game_stream(game_id)
    last = ledger.read_stream(stream, max(ledger.version(stream) - 1, 0))
    return bool(last) and last[-1].type not in _ENDS


def game_of(stream: str) -> str | None:
    """The game whose events a stream holds; None for any other stream."""
    return next((stream.removeprefix(prefix) for prefix in GAME_PREFIXES if stream.startswith(prefix)), None)


def withheld_of(ledger: Ledger, stream: str, event_type: str) -> frozenset[str]:
    """The fields of an event that are not shown now."""
    fields = WITHHELD.get(event_type)
    game_id = game_of(stream)
    if fields is None or game_id is None or not is_open(ledger, game_id):
        return frozenset()
    return fields
