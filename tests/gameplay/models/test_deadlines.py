import threading
from collections.abc import Iterator

import pytest

from gameplay.models.deadlines import Calls, LateError, RegistryInTime, StillWanted, StoreInTime
from gameplay.models.errors import RegistryUnavailable, StoreUnavailable
from gameplay.models.registry import MlflowRegistry
from gameplay.models.store import open_model_store
from projections.objects import S3Access
from tests.gameplay.dripping import DrippingServer
from tests.gameplay.faults import CrashError, crash
from tests.gameplay.graphs import files, trained

SECONDS = 0.3
LATE = r"no answer within 0\.3 s"


@pytest.fixture
def dripping() -> Iterator[DrippingServer]:
    with DrippingServer() as server:
        yield server


def threads_of(backend: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(f"{backend}: ")]


def late() -> None:
    raise TimeoutError("its own")


def test_a_call_gives_what_it_gives() -> None:
    calls = Calls("backend")

    assert calls.run("add", 10, lambda _: 1 + 1) == 2
    with pytest.raises(TimeoutError, match="its own"):
        calls.run("fail", 10, lambda _: late())
    with pytest.raises(CrashError):
        calls.run("crash", 10, lambda _: crash())


def test_a_late_call_is_abandoned_and_hears_of_it() -> None:
    calls, goes_on = Calls("backend"), threading.Event()
    wanted: list[bool] = []

    def hang(still_wanted: StillWanted) -> None:
        goes_on.wait()
        wanted.append(still_wanted())

    with pytest.raises(LateError, match=r"no answer within 0\.01 s"):
        calls.run("hang", 0.01, hang)

    (thread,) = [one for one in threads_of("backend") if one.name == "backend: hang"]
    assert thread.daemon
    goes_on.set()
    thread.join()
    assert wanted == [False]


def test_calls_that_hang_hold_so_many_threads_and_no_more() -> None:
    calls, goes_on = Calls("backend", calls_max=2), threading.Event()
    for _ in range(2):
        with pytest.raises(LateError):
            calls.run("hang", 0.01, lambda _: goes_on.wait())

    with pytest.raises(LateError, match="too many calls have had no answer"):
        calls.run("hang", 0.01, lambda _: goes_on.wait())

    hanging = threads_of("backend")
    assert len(hanging) == 2
    goes_on.set()
    for thread in hanging:
        thread.join()
    assert calls.run("add", 10, lambda _: 2) == 2


def test_a_registry_that_drips_is_left_at_the_deadline(dripping: DrippingServer) -> None:
    registry = RegistryInTime(MlflowRegistry(dripping.url), seconds=SECONDS, transfer_seconds=SECONDS)

    for ask in (
        lambda: registry.aliases("xgboost"),
        lambda: registry.runs("xgboost", [1]),
        lambda: registry.assign("xgboost", "B", 1),
        lambda: registry.register("xgboost", trained()),
        lambda: registry.download("xgboost", 1),
    ):
        with pytest.raises(RegistryUnavailable, match=LATE):
            ask()


def test_a_store_that_drips_is_left_at_the_deadline(dripping: DrippingServer) -> None:
    objects = open_model_store("s3://models", S3Access(dripping.url, "key", "secret"))
    store = StoreInTime(objects, seconds=SECONDS, transfer_seconds=SECONDS)

    for ask in (
        lambda: store.get_model("xgboost", 1),
        lambda: store.put_model("xgboost", files(1)),
        lambda: store.set_marker("xgboost", "B", 1),
        lambda: store.versions("xgboost"),
    ):
        with pytest.raises(StoreUnavailable, match=LATE):
            ask()
