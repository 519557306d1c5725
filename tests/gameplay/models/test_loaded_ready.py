"""Waiting for the versions of a game that is about to start."""

import threading
import time
from collections.abc import Iterator

import pytest
from obstore.store import MemoryStore

from gameplay.models.artifacts import ModelFiles
from gameplay.models.loaded import Models
from gameplay.models.store import ObjectModelStore
from ledger.vocabulary import Family
from tests.gameplay.fakes import FakeRegistry, SwitchedStore
from tests.gameplay.graphs import files
from tests.patience import PATIENCE_SECONDS


class SlowStore(SwitchedStore):
    """Answers when the test says so."""

    def __init__(self) -> None:
        super().__init__(ObjectModelStore(MemoryStore()))
        self.answering = threading.Event()
        self.reads = 0

    def get_model(self, family: Family, version: int) -> ModelFiles:
        self.reads += 1
        assert self.answering.wait(PATIENCE_SECONDS)
        return super().get_model(family, version)


@pytest.fixture
def store() -> SlowStore:
    return SlowStore()


@pytest.fixture
def models(store: SlowStore) -> Iterator[Models]:
    models = Models(store, FakeRegistry())
    yield models
    store.answering.set()
    models.close()


def test_versions_that_come_in_time_are_there_when_the_wait_ends(models: Models, store: SlowStore) -> None:
    for version in (1, 2):
        store.put_model("xgboost", files(version))
    store.answering.set()
    models.make_ready("xgboost", [1, 2, 1], PATIENCE_SECONDS)
    assert models.sources() == {("xgboost", 1): "minio", ("xgboost", 2): "minio"}
    models.make_ready("xgboost", [1, 2], PATIENCE_SECONDS)
    assert store.reads == 2


def test_a_store_that_hangs_is_waited_for_once(models: Models) -> None:
    models.make_ready("xgboost", [1, 2], 0.01)
    began = time.monotonic()
    # Its time is up, however long this caller would wait.
    models.make_ready("xgboost", [1, 2], PATIENCE_SECONDS)
    assert time.monotonic() - began < PATIENCE_SECONDS / 2
    assert not models.sources()


def test_a_version_that_failed_a_moment_ago_is_not_waited_for(models: Models, store: SlowStore) -> None:
    store.answering.set()
    models.make_ready("xgboost", [7], PATIENCE_SECONDS)  # ends when the load has failed
    assert models.failure("xgboost", 7)
    reads = store.reads
    models.make_ready("xgboost", [7], PATIENCE_SECONDS)
    assert store.reads == reads


def test_a_version_that_another_caller_loads_meanwhile_ends_the_wait(models: Models, store: SlowStore) -> None:
    store.put_model("xgboost", files(1))
    waiting = threading.Thread(target=models.make_ready, args=("xgboost", [1], PATIENCE_SECONDS))
    waiting.start()
    store.answering.set()
    models.load("xgboost", 1)
    waiting.join(PATIENCE_SECONDS)
    assert not waiting.is_alive()
