"""The read models at any past position: folded from the nearest waypoint, and kept for the next look.

A look costs what lies between the waypoint and the position, and never the whole ledger. Where there is no
waypoint, as after a projection has changed, the first look goes all the way, and lays them.
"""

import threading
from collections import OrderedDict

from projections.errors import TooManyFoldsError
from projections.positions import check_position
from projections.read_models.all import ReadModels
from projections.read_models.past_history import PastHistory
from projections.read_models.states import States, states_of
from projections.waypoints import Waypoints

FOLDS_MAX = 2
KEPT_MAX = 8


class Past:
    """The past of the ledger that `present` is folded from. Threads share it."""

    def __init__(self, present: ReadModels, *, folds_max: int = FOLDS_MAX, kept_max: int = KEPT_MAX) -> None:
        self._present = present
        self._folds_max = folds_max
        self._kept_max = kept_max
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, States] = OrderedDict()
        self._forks = 0
        self._folding: dict[int, threading.Event] = {}

    def at(self, position: int) -> States:
        """The states at a position. Other callers may be given the same ones: nobody changes them.

        Of several callers who ask for one position, one folds and the others wait. Raises PositionError,
        ProjectionError, and TooManyFoldsError while `folds_max` other positions are being folded.
        """
        while True:
            with self._lock:
                self._drop_forked()
                if (kept := self._kept.get(position)) is not None:
                    self._kept.move_to_end(position)
                    return kept
                if (other := self._folding.get(position)) is None:
                    if len(self._folding) >= self._folds_max:
                        raise TooManyFoldsError(self._folds_max)
                    self._folding[position] = threading.Event()
                    break
            other.wait()  # and if that fold has failed, this caller meets the error itself
        try:
            states = self._fold(position)
            with self._lock:
                self._keep(states)
            return states
        finally:
            with self._lock:
                self._folding.pop(position).set()

    def _drop_forked(self) -> None:
        """What was kept is the past of another ledger once the projector has had to start over."""
        if self._forks != self._present.projector.forks:
            self._forks = self._present.projector.forks
            self._kept.clear()

    def _keep(self, states: States) -> None:
        self._kept[states.position] = states
        if len(self._kept) > self._kept_max:
            self._kept.popitem(last=False)

    def _fold(self, position: int) -> States:
        present, ledger = self._present, self._present.ledger
        head = check_position(ledger, position)
        if present.projector.position < position:
            present.projector.catch_up()  # the rows of the history are those of its table
        past = ReadModels(ledger, since_us=present.since_us, read_only=True)
        waypoints = Waypoints(ledger, past.tracked, present.waypoint_entries)
        if (nearest := waypoints.restore(position)) is not None:
            past.projector.head = nearest
        for page in ledger.pages(past.projector.position, position):
            past.projector.fold(page)
            if waypoints.is_due(past.projector.position, head):
                waypoints.lay(past.projector.head, past.tracked)
        present.projector.take_waypoints(waypoints.unsaved)
        return states_of(past, PastHistory(present.history, ledger, position, past.standings.state))
