"""The families at a position of the ledger, and all that a change of their aliases works on."""

import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from gameplay.models.registry import Registry
from gameplay.models.store import ModelStore
from gameplay.promotion.backends import Backends, Loader
from gameplay.refusals import Conflict, Unavailable
from ledger.appends import Receipt
from ledger.errors import OvertakenError
from ledger.events import Assignment, Event, VersionRun
from ledger.retry import retry
from ledger.store import Ledger
from ledger.streams import promotion_stream
from ledger.vocabulary import FAMILIES, Family
from projections.decision.approval import waits
from projections.read_models.all import ReadModels
from projections.read_models.assigned_games import AssignedGames
from projections.read_models.standings import PromotionState
from projections.read_models.tickers import Window
from projections.read_models.version_pairs import PairWindow

Outcome = TypeVar("Outcome")

TURN_SECONDS_MAX = 5.0


class StateAt(NamedTuple):
    """A family at one position of the ledger."""

    family: Family
    position: int
    promotion: PromotionState
    window: Window
    pair: PairWindow
    assigned: AssignedGames | None
    """The games in the order in which they were assigned, where the family's rule counts them so."""
    now_us: int
    """A time before which nothing was recorded after this position."""

    def assignment(self) -> Assignment:
        """The family's aliases. Raises Conflict while it has none."""
        assignment = self.promotion.assignment()
        if assignment is None:
            raise Conflict(f"{self.family} has no aliases yet: `rps setup` trains its first models")
        return assignment


class Promotion:
    """All families, as one process sees them: what is decided and planned in `planning`, and done in `applying`.

    One thread at a time has a family's turn; other processes are met at the ledger, whose append takes a family
    only at the state that was looked at.
    """

    def __init__(
        self,
        ledger: Ledger,
        read_models: ReadModels,
        registry: Registry,
        *,
        store: ModelStore | None = None,
        load: Loader | None = None,
        turn_seconds_max: float = TURN_SECONDS_MAX,
    ) -> None:
        self.ledger = ledger
        self.read_models = read_models
        self.backends = Backends(registry, store, load)
        self._turns = {family: threading.RLock() for family in FAMILIES}
        self._turn_seconds_max = turn_seconds_max
        self.not_completed: dict[Family, str] = {}
        self.not_set_right: dict[Family, str] = {}
        """Families whose aliases this process has set by a plan that another one had ended, until they are set
        right."""
        self.not_adopted: dict[Family, str] = {}
        self.to_adopt: set[Family] = set()
        """Families whose registry shall be looked at again: a start, a reload or a hint asked for it in vain."""

    @property
    def problems(self) -> dict[Family, str]:
        """What keeps the registry's aliases and the ledger's apart: a plan, aliases not adopted or not set right.

        Another process may have ended the plan that could not be completed here.
        """
        # A scrape asks while another thread holds the lock, for as long as a registry takes. A copy is one
        # step; a loop over the dictionary itself would fail when that thread puts something into it.
        apart = self.not_adopted.copy() | self.not_set_right.copy()
        not_completed = self.not_completed.copy()
        families = self.read_models.standings.state.families
        return apart | {family: text for family, text in not_completed.items() if families[family].plan}

    @contextmanager
    def turn(self, family: Family) -> Iterator[None]:
        """The family's aliases, for this thread alone. Raises Unavailable when another one keeps them for long.

        It keeps them while it asks registry and store, which may take as long as their deadlines allow. To wait
        for all of that would use up the threads that answer requests.
        """
        turn = self._turns[family]
        if not turn.acquire(timeout=self._turn_seconds_max):
            raise Unavailable(f"the aliases of {family} are being moved; try again in a moment")
        try:
            yield
        finally:
            turn.release()

    def state(self, family: Family) -> StateAt:
        """The family at the head."""
        now_us = self.ledger.now_us()  # before the fold, so that what comes later has a later time
        with self.read_models.projector.current() as position:
            return StateAt(
                family,
                position,
                copy.deepcopy(self.read_models.standings.state.families[family]),
                copy.deepcopy(self.read_models.tickers.state.windows[family]),
                self.read_models.version_pairs.state.windows[family].counted(),
                copy.deepcopy(self.read_models.assigned_games.state.windows.get(family)),
                now_us,
            )

    def known_run(self, family: Family, version: int) -> VersionRun | None:
        """What the ledger knows of the run behind a version, up to the head."""
        with self.read_models.projector.current():
            return self.read_models.standings.state.families[family].run(version)

    def state_to_plan_from(self, family: Family) -> StateAt:
        """The family at the head, without an open plan.

        Raises OvertakenError when another process has just opened one, Conflict while one awaits approval.
        """
        state = self.state(family)
        if state.promotion.plan and state.promotion.plan.waits:
            raise Conflict(f"{family}: {waits(state.promotion.plan)}; approve or reject it first")
        if state.promotion.plan:
            raise OvertakenError(f"{family}: another process has planned to move its aliases")
        return state

    def append(self, state: StateAt, batch: Sequence[Event], *, ids: Sequence[str] | None = None) -> Receipt:
        """Append at the state that was looked at. Raises OvertakenError when another process was there first."""
        stream, version = promotion_stream(state.family), state.promotion.stream_version
        return self.ledger.append(stream, batch, version, ids=ids)

    def retry(self, family: Family, attempt: Callable[[], Outcome]) -> Outcome:
        """What the attempt returns, made again while other processes are first. Raises Conflict in the end."""
        try:
            return retry(attempt)
        except OvertakenError as error:
            raise Conflict(f"{family}: other processes kept moving its aliases; try again") from error
