"""One deadline for each call to registry or store, whatever the bytes on the way do.

The time-outs of HTTP clients are for each read: a server that sends one byte a second holds a call for ever. So
each call runs on a thread of its own, and its caller waits no longer than the call may take as a whole.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, wait
from typing import Final, TypeVar

from gameplay.models.artifacts import ModelFiles, Registered, TrainedModel
from gameplay.models.errors import RegistryUnavailable, StoreUnavailable
from gameplay.models.registry import MlflowRegistry
from gameplay.models.store import ModelStore
from ledger.vocabulary import Alias, Family

CALL_SECONDS: Final = 10.0
TRANSFER_SECONDS: Final = 60.0
"""For an upload, and for what goes through many objects."""
OPENING_SECONDS: Final = 60.0
"""For the first call of all, which imports MLflow and opens or makes its database."""
CALLS_MAX: Final = 32

Answer = TypeVar("Answer")
StillWanted = Callable[[], bool]


class LateError(Exception):
    """A call has not come back within its time."""


class Calls:
    """Runs calls to one backend, each on a thread of its own, as many at once as `calls_max`.

    A call that is late is abandoned. Its thread ends when the other side answers or lets go of the connection, and
    counts until then: a backend that hangs holds so many threads and no more.
    """

    def __init__(self, backend: str, *, calls_max: int = CALLS_MAX) -> None:
        self._backend = backend
        self._free = threading.BoundedSemaphore(calls_max)

    def run(self, operation: str, seconds: float, call: Callable[[StillWanted], Answer]) -> Answer:
        """What the call returns or raises; it can ask whether its caller still waits. Raises LateError."""
        ends_seconds = time.monotonic() + seconds
        if not self._free.acquire(timeout=seconds):
            raise LateError(f"too many calls have had no answer; none was free for {seconds:g} s")
        answer: Future[Answer] = Future()
        abandoned = threading.Event()

        def work() -> None:
            try:
                answer.set_result(call(lambda: not abandoned.is_set()))
            except BaseException as error:  # noqa: BLE001 - the outermost frame: it is raised to who waits
                answer.set_exception(error)
            finally:
                self._free.release()

        # Not one of a pool's, whose threads the interpreter waits for at its end.
        threading.Thread(target=work, name=f"{self._backend}: {operation}", daemon=True).start()
        try:
            if not wait((answer,), max(0.0, ends_seconds - time.monotonic())).done:
                raise LateError(f"no answer within {seconds:g} s")
            return answer.result()
        finally:
            abandoned.set()


class RegistryInTime:
    """MLflow's registry, whose every call ends within its deadline. Raises as the registry does."""

    def __init__(
        self,
        registry: MlflowRegistry,
        *,
        calls: Calls | None = None,
        seconds: float = CALL_SECONDS,
        transfer_seconds: float = TRANSFER_SECONDS,
    ) -> None:
        self._registry = registry
        self._calls = calls or Calls("registry")
        self._seconds = seconds
        self._transfer_seconds = transfer_seconds

    def open(self) -> None:
        """Make the client, which takes seconds; done by the first call, if not before."""
        if not self._registry.is_open:
            self._calls.run("open the registry", OPENING_SECONDS, lambda _: self._registry.open())

    def aliases(self, family: Family) -> dict[Alias, int]:
        """As the registry's."""
        return self._run("read the aliases", self._seconds, lambda _: self._registry.aliases(family))

    def assign(self, family: Family, alias: Alias, version: int) -> None:
        """As the registry's."""
        self._run(f"set {alias}", self._seconds, lambda _: self._registry.assign(family, alias, version))

    def runs(self, family: Family, versions: Collection[int]) -> dict[int, str]:
        """As the registry's."""
        return self._run("look for versions", self._seconds, lambda _: self._registry.runs(family, versions))

    def versions(self, family: Family) -> dict[int, str]:
        """As the registry's."""
        return self._run("list the versions", self._seconds, lambda _: self._registry.versions(family))

    def register(self, family: Family, run: TrainedModel) -> Registered:
        """As the registry's; a call that has been abandoned makes no version any more."""
        return self._run(
            "register a version",
            self._transfer_seconds,
            lambda still_wanted: self._registry.register(family, run, still_wanted=still_wanted),
        )

    def discard(self, family: Family, landed: Registered) -> None:
        """As the registry's."""
        self._run("take back a version", self._seconds, lambda _: self._registry.discard(family, landed))

    def download(self, family: Family, version: int) -> ModelFiles:
        """As the registry's."""
        # As short as any call: a version that does not come is asked for again, and its caller does not wait.
        return self._run("download a version", self._seconds, lambda _: self._registry.download(family, version))

    def annotate(self, family: Family, text: str, tags: Mapping[int, Mapping[str, str]]) -> None:
        """As the registry's."""
        self._run(
            "write the moves down",
            self._transfer_seconds,
            lambda _: self._registry.annotate(family, text, tags),
        )

    def owner(self) -> str | None:
        """As the registry's."""
        return self._run("read the owner", self._seconds, lambda _: self._registry.owner())

    def set_owner(self, ledger_id: str) -> None:
        """As the registry's."""
        self._run("set the owner", self._seconds, lambda _: self._registry.set_owner(ledger_id))

    def _run(self, operation: str, seconds: float, call: Callable[[StillWanted], Answer]) -> Answer:
        try:
            self.open()
            return self._calls.run(operation, seconds, call)
        except LateError as error:
            raise RegistryUnavailable(operation, str(error)) from error


class StoreInTime:
    """A model store, whose every call ends within its deadline. Raises as the store does."""

    def __init__(
        self,
        store: ModelStore,
        *,
        calls: Calls | None = None,
        seconds: float = CALL_SECONDS,
        transfer_seconds: float = TRANSFER_SECONDS,
    ) -> None:
        self._store = store
        self._calls = calls or Calls("model store")
        self._seconds = seconds
        self._transfer_seconds = transfer_seconds

    def put_model(self, family: Family, files: ModelFiles) -> None:
        """As the store's."""
        self._run("keep a version", self._transfer_seconds, lambda: self._store.put_model(family, files))

    def get_model(self, family: Family, version: int) -> ModelFiles:
        """As the store's."""
        return self._run("read a version", self._seconds, lambda: self._store.get_model(family, version))

    def set_marker(self, family: Family, alias: Alias, version: int) -> None:
        """As the store's."""
        self._run(f"mark {alias}", self._seconds, lambda: self._store.set_marker(family, alias, version))

    def sweep_markers(self, family: Family) -> None:
        """As the store's."""
        self._run("look at markers", self._transfer_seconds, lambda: self._store.sweep_markers(family))

    def versions(self, family: Family) -> dict[int, str]:
        """As the store's."""
        return self._run("list the versions", self._seconds, lambda: self._store.versions(family))

    def remove(self, family: Family, version: int) -> None:
        """As the store's."""
        self._run("remove a version", self._seconds, lambda: self._store.remove(family, version))

    def remove_leftovers(self) -> None:
        """As the store's."""
        self._run("remove leftovers", self._transfer_seconds, self._store.remove_leftovers)

    def _run(self, operation: str, seconds: float, call: Callable[[], Answer]) -> Answer:
        try:
            return self._calls.run(operation, seconds, lambda _: call())
        except LateError as error:
            raise StoreUnavailable(operation, str(error)) from error
