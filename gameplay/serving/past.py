"""The states at a past position, for pages that look back."""

from ledger.store import Ledger
from projections.audit.replay import Replay
from projections.read_models.states import States, states_of


class PastStates:
    """The states at any position up to the head: a fold of the ledger, as `rps-audit replay --to` makes it."""

    def __init__(self, ledger: Ledger, *, since_us: int) -> None:
        self._ledger = ledger
        self._since_us = since_us

    def at(self, position: int) -> States:
        """The states at a position that the ledger has. Raises ProjectionError."""
        replay = Replay(self._ledger, since_us=self._since_us)
        replay.advance(position)
        return states_of(replay.read_models)
