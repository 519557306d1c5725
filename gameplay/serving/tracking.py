"""Which games the other families predict along: what the ledger says, and the draw of each game.

A game is drawn by the newest setting before its start in the ledger, by its player and by a hash of its id. So a
wider share takes no game that has begun, every process draws alike, and an auditor can draw again.
"""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Final

from gameplay.game.rules import is_cross_family
from ledger.appends import Receipt
from ledger.entries import Entry
from ledger.events import CrossFamilySet, GameStarted
from ledger.retry import retry
from ledger.store import Ledger
from ledger.streams import CROSS_FAMILY_STREAM, game_stream
from ledger.vocabulary import PLAYER_KINDS, PlayerKind

NOBODY: Final = CrossFamilySet(share=0.0, players=PLAYER_KINDS, actor=None, reason=None)
"""What holds where the ledger says nothing."""
DRAWS_KEPT_MAX: Final = 10_000

TrackingSettings = Sequence[tuple[Entry, CrossFamilySet]]
"""Each setting with its entry, in their order."""


def settings_in(ledger: Ledger) -> TrackingSettings:
    """All that the ledger has."""
    return [
        (entry, event)
        for entry in ledger.read_stream(CROSS_FAMILY_STREAM)
        if isinstance(event := ledger.decode(entry), CrossFamilySet)
    ]


def is_drawn(started: GameStarted, position: int, settings: TrackingSettings) -> bool:
    """Whether the other families predict the rounds of a game whose start has this position."""
    before = [event for entry, event in settings if entry.position < position]
    setting = before[-1] if before else NOBODY
    return started.player_kind in setting.players and is_cross_family(started.game_id, setting.share)


def set_tracking(ledger: Ledger, setting: CrossFamilySet) -> Receipt | None:
    """Record a setting; None where it changes nothing.

    One without an actor is of the settings of a process. It is compared with what such a setting last said, so
    that a restart does not take back what an operator has said since.
    """
    return retry(partial(_set, ledger, setting))


def _set(ledger: Ledger, setting: CrossFamilySet) -> Receipt | None:
    known = settings_in(ledger)
    comparable = [event for _, event in known if setting.actor is not None or event.actor is None]
    before = comparable[-1] if comparable else NOBODY
    if (before.share, before.players) == (setting.share, setting.players):
        return None
    version = known[-1][0].version if known else 0
    return ledger.append(CROSS_FAMILY_STREAM, [setting], version)


def in_order(kinds: Collection[PlayerKind]) -> tuple[PlayerKind, ...]:
    """Kinds of players as an event has them."""
    return tuple(kind for kind in PLAYER_KINDS if kind in kinds)


class Draws:
    """The draw of each game of this process, made once and then known. One thread draws, others look."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[str, bool] = {}

    def known(self, game_id: str) -> bool | None:
        """The draw; None where it has not been made."""
        return self._known.get(game_id)

    def draw(self, started: Collection[GameStarted]) -> None:
        """Make the draws of games that have none yet, all of which are in the ledger. Raises LedgerError."""
        new = {one.game_id: one for one in started if one.game_id not in self._known}
        if not new:
            return
        # Read after the games have begun: whatever was set before them is there.
        settings = settings_in(self._ledger)
        for game_id, one in new.items():
            self._known[game_id] = bool(settings) and is_drawn(one, self._position(game_id), settings)
        while len(self._known) > DRAWS_KEPT_MAX:
            del self._known[next(iter(self._known))]

    def _position(self, game_id: str) -> int:
        begun = self._ledger.read_stream(game_stream(game_id), through_version=1)
        return begun[0].position if begun else 0  # a failover may have taken the game away
