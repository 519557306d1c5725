"""Things that go wrong at a chosen moment: a registry, a ledger and a store that a test can trip up."""

from collections.abc import Callable, Sequence
from typing import NoReturn

from gameplay.models.artifacts import Registered, TrainedModel
from gameplay.models.errors import RegistryUnavailable
from ledger.appends import Receipt
from ledger.entries import Entry
from ledger.events import Event
from ledger.store import PAGE_ENTRIES, Ledger
from ledger.vocabulary import FAMILIES, Alias, Family
from tests.gameplay.fakes import FakeRegistry
from tests.gameplay.graphs import files

Action = Callable[[], object]


class CrashError(BaseException):
    """The process dies here; no handler in it may catch this and go on."""


def crash() -> NoReturn:
    raise CrashError


def refuse() -> NoReturn:
    raise RegistryUnavailable("answer", "the test has stopped it")


class FaultyRegistry(FakeRegistry):
    """A registry in which something happens before its nth call, or its nth setting of an alias, from now."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.assigned = 0
        self._actions: dict[int, Action] = {}
        self._at_assignments: dict[int, Action] = {}
        self._at_registrations: dict[int, Action] = {}

    def at_call(self, number: int, action: Action) -> None:
        """1 is the next call."""
        self._actions[self.calls + number] = action

    def at_assignment(self, number: int, action: Action) -> None:
        """1 is the next alias that is set."""
        self._at_assignments[self.assigned + number] = action

    def at_registration(self, number: int, action: Action) -> None:
        """1 is the next version that is registered."""
        self._at_registrations[self.registered + number] = action

    def register(self, family: Family, run: TrainedModel) -> Registered:
        if action := self._at_registrations.pop(self.registered + 1, None):
            action()
        return super().register(family, run)

    def clear_faults(self) -> None:
        """Let nothing happen that has not happened yet."""
        self._actions.clear()
        self._at_assignments.clear()

    def assign(self, family: Family, alias: Alias, version: int) -> None:
        self.assigned += 1
        if action := self._at_assignments.pop(self.assigned, None):
            action()
        super().assign(family, alias, version)

    def _reach(self) -> None:
        self.calls += 1
        if action := self._actions.pop(self.calls, None):
            action()
        super()._reach()


def registry_with_versions(count: int = 4) -> FaultyRegistry:
    """Versions 1 to `count` of each family, the first four behind the aliases in their order."""
    registry = FaultyRegistry()
    for family in FAMILIES:
        for version in range(1, count + 1):
            scores = {1: (0.5, 0.3, 0.2), 2: (0.2, 0.5, 0.3), 3: (0.3, 0.2, 0.5)}.get(version % 4, (0.4, 0.4, 0.2))
            registry.keep(family, files(version, scores, family=family))
        registry.named[family] = {"Production": 1, "B": 2, "shadow1": 3, "shadow2": 4}
    return registry


class FaultyLedger(Ledger):
    """A ledger in which something happens before or after its nth append from now, or before its nth read."""

    appends = 0
    reads = 0

    def before_append(self, number: int, action: Action) -> None:
        self._before = (self.appends + number, action)

    def after_append(self, number: int, action: Action) -> None:
        self._after = (self.appends + number, action)

    def before_read(self, number: int, action: Action) -> None:
        self._read = (self.reads + number, action)

    def read(
        self,
        after: int = 0,
        *,
        limit: int = PAGE_ENTRIES,
        through: int | None = None,
        descending: bool = False,
        types: Sequence[str] = (),
    ) -> list[Entry]:
        self.reads += 1
        number, action = getattr(self, "_read", (0, None))
        if action and number == self.reads:
            action()
        return super().read(after, limit=limit, through=through, descending=descending, types=types)

    def append(
        self, stream: str, new: Sequence[Event], expected_version: int | None, *, ids: Sequence[str] | None = None
    ) -> Receipt:
        self.appends += 1
        self._happen("_before")
        receipt = super().append(stream, new, expected_version, ids=ids)
        self._happen("_after")
        return receipt

    def _happen(self, when: str) -> None:
        number, action = getattr(self, when, (0, None))
        if action and number == self.appends:
            action()
