"""The model store as the aliases want it: the twelve versions, sound and marked, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gameplay.core import Core, open_core
from gameplay.promotion import adoption, planning
from gameplay.serving.sync import sync
from ledger.vocabulary import ALIASES, FAMILIES
from tests.builders import assignment, training_completed
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.markers import markers_in, run_markers_in
from tests.s3_server import S3Gateway


@pytest.fixture
def bucket(s3: S3Gateway) -> str:
    return s3.new_place()


@pytest.fixture
def remote(s3: S3Gateway, bucket: str, registry: FaultyRegistry, data_dir: Path) -> Iterator[Core]:
    """A ledger with its twelve versions, which the registry has, and an empty bucket."""
    core = open_core(s3.settings(data_dir, bucket), registry=registry)
    core.read_models.projector.start()
    yield core
    core.close()


def test_the_twelve_are_copied_to_s3_and_marked(
    remote: Core, registry: FaultyRegistry, s3: S3Gateway, bucket: str
) -> None:
    first, second = (sync(remote, FAMILIES, ALIASES) for _ in range(2))

    assert (len(first.copied), len(first.kept), first.errors) == (12, 0, [])
    assert (len(second.copied), len(second.kept), second.errors) == (0, 12, [])
    for family in FAMILIES:
        assert sorted(remote.store.versions(family)) == [1, 2, 3, 4]
        assert remote.store.get_model(family, 3) == registry.kept[family, 3]
        markers = markers_in(s3.objects(bucket), family)
        assert [markers[alias] for alias in ALIASES] == [(n, f"run-{family}-{n}") for n in (1, 2, 3, 4)]
    assert len(run_markers_in(s3.objects(bucket))) == 12


def test_markers_that_a_crash_left_behind_are_put_right(remote: Core, s3: S3Gateway, bucket: str) -> None:
    sync(remote, FAMILIES, ALIASES)
    objects, right = s3.objects(bucket), run_markers_in(s3.objects(bucket))
    objects.put("run-xgboost-2/.alias_Production", b"rps_bot_xgboost@Production v2\n")
    objects.delete("run-xgboost-1/.alias_Production")
    objects.put("run-xgboost-3/.alias_of_another_tool", b"")

    sync(remote, FAMILIES, ALIASES)

    stray = {"run-xgboost-3/.alias_of_another_tool": ""}
    assert run_markers_in(objects) == {**right, **stray}, "what is not ours stays"


def test_a_damaged_copy_on_s3_is_replaced(remote: Core, registry: FaultyRegistry) -> None:
    sync(remote, FAMILIES, ALIASES)
    good = registry.kept["xgboost", 2]
    remote.store.put_model("xgboost", good._replace(onnx=b"damaged"))

    synced = sync(remote, ("xgboost",), ALIASES)

    assert (synced.copied, len(synced.kept)) == (["xgboost/v2"], 3)
    assert remote.store.get_model("xgboost", 2) == good


def test_cleaning_removes_what_no_alias_needs(remote: Core, registry: FaultyRegistry) -> None:
    for version in range(1, 7):
        remote.store.put_model("xgboost", registry.kept["xgboost", version])
    registry.named["xgboost"] = {"Production": 1, "B": 2, "shadow1": 3, "shadow2": 6}
    adoption.adopt(remote.promotion, "xgboost")

    synced = sync(remote, ("xgboost",), ("B",), clean=True)

    assert synced.removed == ["xgboost/v4", "xgboost/v5"]
    assert sorted(remote.store.versions("xgboost")) == [1, 2, 3, 6]


def test_cleaning_keeps_what_an_open_plan_leads_to_and_what_was_trained_just_now(
    remote: Core, registry: FaultyRegistry
) -> None:
    for version in range(1, 7):
        remote.store.put_model("xgboost", registry.kept["xgboost", version])
    registry.down = True
    assert not planning.move(remote.promotion, "xgboost", assignment((5, 2, 3, 4)), cause="training")
    trained = training_completed(model_type="xgboost", model_version=6, holdout_accuracy=0.5)
    remote.ledger.append("training-xgboost", [trained], remote.ledger.version("training-xgboost"))

    synced = sync(remote, ("xgboost",), ALIASES, clean=True)

    assert (synced.removed, synced.errors) == ([], [])


@pytest.mark.parametrize("key", ["run-xgboost-2/meta.json", "rps_bot_xgboost/versions/2"])
def test_an_unreadable_copy_is_replaced(remote: Core, s3: S3Gateway, bucket: str, key: str) -> None:
    sync(remote, ("xgboost",), ALIASES)
    s3.objects(bucket).put(key, b"{")

    synced = sync(remote, ("xgboost",), ALIASES)

    assert (synced.copied, len(synced.kept), synced.errors) == (["xgboost/v2"], 3, [])
    assert remote.store.get_model("xgboost", 2).version == 2


def test_a_version_that_is_nowhere_is_an_error_and_the_others_are_copied(
    remote: Core, registry: FaultyRegistry
) -> None:
    del registry.kept["xgboost", 2]

    synced = sync(remote, ("xgboost",), ALIASES)

    (error,) = synced.errors
    assert error.startswith("xgboost/v2: ")
    assert len(synced.copied) == 3


def test_a_store_that_is_down_is_asked_once(own_s3: S3Gateway, registry: FaultyRegistry, data_dir: Path) -> None:
    core = open_core(own_s3.settings(data_dir, own_s3.new_place()), registry=registry)
    core.read_models.projector.start()
    own_s3.stop()

    synced = sync(core, FAMILIES, ALIASES, clean=True)

    core.close()
    assert len(synced.errors) == 1
    assert (synced.copied, synced.kept, synced.removed) == ([], [], [])
