"""What holds for a model store of any kind, and what a URL may be."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from obstore.store import LocalStore, MemoryStore, ObjectStore

from gameplay.models import store as model_store
from gameplay.models.errors import (
    DigestMismatch,
    ModelDamaged,
    ModelMissing,
    PointerTaken,
    StoreSettingError,
    StoreUnavailable,
)
from gameplay.models.store import ObjectModelStore, open_model_store
from projections.objects import S3Access
from tests.endpoints import WRONG_ENDPOINTS
from tests.gameplay.faults import CrashError, crash
from tests.gameplay.graphs import files
from tests.gameplay.markers import markers_in, run_markers_in
from tests.s3_server import S3Gateway


@pytest.fixture(params=["directory", "memory", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """An empty place for objects."""
    match request.param:
        case "memory":
            return MemoryStore()
        case "s3":
            s3: S3Gateway = request.getfixturevalue("s3")
            return s3.objects(s3.new_place())
        case _:
            return LocalStore(tmp_path / "models", mkdir=True)


@pytest.fixture
def store(objects: ObjectStore) -> ObjectModelStore:
    return ObjectModelStore(objects)


def keys(objects: ObjectStore) -> set[str]:
    return {meta["path"] for page in objects.list() for meta in page}


def test_a_version_comes_back_as_it_was_put(store: ObjectModelStore) -> None:
    store.put_model("xgboost", files(3))

    assert store.get_model("xgboost", 3) == files(3)


def test_a_version_of_one_family_is_none_of_another(store: ObjectModelStore) -> None:
    store.put_model("xgboost", files(3))

    with pytest.raises(ModelMissing) as caught:
        store.get_model("feedforward_nn", 3)
    assert (caught.value.family, caught.value.version) == ("feedforward_nn", 3)


def test_keys_that_the_storage_refuses_are_an_error_that_keeps_them_secret(s3: S3Gateway) -> None:
    store = open_model_store(f"s3://{s3.new_place()}", s3.access._replace(secret_key="another-secret"))

    with pytest.raises(StoreUnavailable, match="could not read") as caught:
        store.get_model("xgboost", 3)

    assert "another-secret" not in str(caught.value)


def test_the_layout_is_the_documented_one(store: ObjectModelStore, objects: ObjectStore) -> None:
    store.put_model("xgboost", files(3))
    store.set_marker("xgboost", "Production", 3)

    assert keys(objects) == {
        "run-xgboost-3/model.onnx",
        "run-xgboost-3/meta.json",
        "rps_bot_xgboost/versions/3",
        "rps_bot_xgboost/.alias_Production",
        "run-xgboost-3/.alias_Production",
    }
    assert bytes(objects.get("rps_bot_xgboost/.alias_Production").bytes()) == (
        b'{"version":3,"run_id":"run-xgboost-3"}'
    )


def test_damaged_bytes_are_noticed(store: ObjectModelStore, objects: ObjectStore) -> None:
    store.put_model("xgboost", files(3))
    objects.put("run-xgboost-3/model.onnx", files(4, (1, 0, 0)).onnx)

    with pytest.raises(DigestMismatch) as caught:
        store.get_model("xgboost", 3)
    assert caught.value.expected == files(3).card.onnx_digest


@pytest.mark.parametrize("lost", ["run-xgboost-3/model.onnx", "run-xgboost-3/meta.json"])
def test_half_a_version_is_none(store: ObjectModelStore, objects: ObjectStore, lost: str) -> None:
    store.put_model("xgboost", files(3))
    objects.delete(lost)

    with pytest.raises(ModelMissing):
        store.get_model("xgboost", 3)


@pytest.mark.parametrize("key", ["run-xgboost-3/meta.json", "rps_bot_xgboost/versions/3"])
@pytest.mark.parametrize("content", [b"", b"{", b'{"version": "three"}', b"\xff"])
def test_an_unreadable_description_is_a_damaged_version(
    store: ObjectModelStore, objects: ObjectStore, key: str, content: bytes
) -> None:
    store.put_model("xgboost", files(3))
    objects.put(key, content)

    with pytest.raises(ModelDamaged, match="cannot be read"):
        store.get_model("xgboost", 3)
    store.put_model("xgboost", files(3))
    assert store.get_model("xgboost", 3) == files(3)


def test_a_version_is_marked_although_its_pointer_is_bad(store: ObjectModelStore, objects: ObjectStore) -> None:
    objects.put("rps_bot_xgboost/versions/3", b"{")

    store.set_marker("xgboost", "B", 3)

    assert markers_in(objects, "xgboost") == {"B": (3, None)}


def test_a_version_that_is_put_again_replaces_the_first_copy(store: ObjectModelStore) -> None:
    store.put_model("xgboost", files(3))
    again = files(3, (1, 0, 0))

    store.put_model("xgboost", again)

    assert store.get_model("xgboost", 3) == again


def test_a_number_that_is_another_runs_is_never_overwritten(store: ObjectModelStore, objects: ObjectStore) -> None:
    store.put_model("xgboost", files(3))
    before = keys(objects)

    with pytest.raises(PointerTaken, match="is run run-xgboost-3, not run another"):
        store.put_model("xgboost", files(3)._replace(run_id="another"))

    assert keys(objects) == before
    assert store.get_model("xgboost", 3) == files(3)
    store.put_model("feedforward_nn", files(3)._replace(run_id="another"))  # a number is a family's


def test_of_two_runs_that_come_for_one_number_at_once_one_gets_it() -> None:
    objects = Dying()
    store, other = ObjectModelStore(objects), ObjectModelStore(objects)
    objects.before_create = lambda: other.put_model("xgboost", files(3)._replace(run_id="another"))

    with pytest.raises(PointerTaken, match="is run another, not run run-xgboost-3"):
        store.put_model("xgboost", files(3))

    assert store.get_model("xgboost", 3).run_id == "another"


def test_markers_name_version_and_run(store: ObjectModelStore, objects: ObjectStore) -> None:
    store.put_model("xgboost", files(3))
    store.set_marker("xgboost", "B", 2)
    store.set_marker("xgboost", "B", 3)
    store.set_marker("xgboost", "shadow1", 9)

    assert markers_in(objects, "xgboost") == {"B": (3, "run-xgboost-3"), "shadow1": (9, None)}
    assert markers_in(objects, "feedforward_nn") == {}


def test_the_folder_of_a_run_says_which_aliases_name_it(store: ObjectModelStore, objects: ObjectStore) -> None:
    for version in (3, 4):
        store.put_model("xgboost", files(version))
    store.set_marker("xgboost", "Production", 3)
    store.set_marker("xgboost", "B", 4)
    store.set_marker("xgboost", "Production", 4)
    store.set_marker("xgboost", "Production", 4)

    assert run_markers_in(objects) == {
        "run-xgboost-4/.alias_Production": "rps_bot_xgboost@Production v4\n",
        "run-xgboost-4/.alias_B": "rps_bot_xgboost@B v4\n",
    }
    store.set_marker("xgboost", "B", 3)
    assert "run-xgboost-4/.alias_B" not in run_markers_in(objects)


@pytest.mark.parametrize("step", range(1, 6))
def test_a_move_of_a_marker_that_dies_anywhere_is_put_right_by_the_next(step: int) -> None:
    objects = Dying()
    store = ObjectModelStore(objects)
    for version in (3, 4):
        store.put_model("xgboost", files(version))
    store.set_marker("xgboost", "B", 3)
    objects.left = step
    with pytest.raises(CrashError):
        store.set_marker("xgboost", "B", 4)
    assert run_markers_in(objects), "one too many rather than none"

    store.set_marker("xgboost", "B", 4)
    store.sweep_markers("xgboost")

    assert run_markers_in(objects) == {"run-xgboost-4/.alias_B": "rps_bot_xgboost@B v4\n"}


def test_a_version_that_is_removed_takes_its_markers_along(store: ObjectModelStore, objects: ObjectStore) -> None:
    store.put_model("xgboost", files(3))
    store.set_marker("xgboost", "B", 3)

    store.remove("xgboost", 3)

    assert run_markers_in(objects) == {}


def test_versions_are_listed_with_their_runs(store: ObjectModelStore) -> None:
    for version in (2, 10):
        store.put_model("xgboost", files(version))

    assert store.versions("xgboost") == {2: "run-xgboost-2", 10: "run-xgboost-10"}
    assert store.versions("feedforward_nn") == {}


def test_what_is_no_pointer_is_not_listed(store: ObjectModelStore, objects: ObjectStore) -> None:
    store.put_model("xgboost", files(2))
    objects.put("rps_bot_xgboost/versions/notes.txt", b"mind the gap")
    objects.put("rps_bot_xgboost/versions/3", b"{")

    assert store.versions("xgboost") == {2: "run-xgboost-2"}


def test_what_is_written_leaves_no_temporary_object(store: ObjectModelStore, objects: ObjectStore) -> None:
    store.put_model("xgboost", files(3))
    objects.put("incoming/left-behind", b"half a model")

    store.remove_leftovers()

    assert [key for key in keys(objects) if key.startswith("incoming/")] == ["incoming/left-behind"]
    assert store.versions("xgboost") == {3: "run-xgboost-3"}


def test_old_leftovers_of_dead_writers_are_removed(
    store: ObjectModelStore, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects.put("incoming/left-behind", b"half a model")
    store.put_model("xgboost", files(3))
    monkeypatch.setattr(model_store, "LEFTOVER_AGE", timedelta(seconds=-5))

    store.remove_leftovers()

    assert not [key for key in keys(objects) if key.startswith("incoming/")]
    assert store.get_model("xgboost", 3) == files(3)


def test_a_removed_version_is_gone_and_the_others_stay(store: ObjectModelStore, objects: ObjectStore) -> None:
    for version in (2, 3):
        store.put_model("xgboost", files(version))

    store.remove("xgboost", 2)
    store.remove("xgboost", 2)

    assert store.versions("xgboost") == {3: "run-xgboost-3"}
    assert store.get_model("xgboost", 3) == files(3)
    assert not [key for key in keys(objects) if "xgboost-2" in key]


def test_a_half_removed_version_can_be_removed(store: ObjectModelStore, objects: ObjectStore) -> None:
    store.put_model("xgboost", files(3))
    objects.delete("run-xgboost-3/meta.json")

    store.remove("xgboost", 3)

    assert keys(objects) == set()


class Dying(MemoryStore):
    """Dies at its nth write or removal from now; something may happen before it makes a new object."""

    left = 0
    before_create: Callable[[], object] | None = None

    def put(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        self._live()
        if kwargs.get("mode") == "create" and self.before_create:
            action, self.before_create = self.before_create, None
            action()
        return super().put(*args, **kwargs)

    def rename(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        self._live()
        return super().rename(*args, **kwargs)

    def delete(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        self._live()
        return super().delete(*args, **kwargs)

    def _live(self) -> None:
        self.left -= 1
        if self.left == 0:
            crash()


@pytest.mark.parametrize("step", range(1, 6))
def test_a_writer_that_dies_anywhere_leaves_nothing_for_ever(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_store, "LEFTOVER_AGE", timedelta(seconds=-5))
    objects = Dying()
    objects.left = step
    with pytest.raises(CrashError):
        ObjectModelStore(objects).put_model("xgboost", files(3))

    store = ObjectModelStore(objects)
    assert store.versions("xgboost") == {}, "the pointer comes last"
    store.remove_leftovers()

    assert keys(objects) == set()


@pytest.mark.parametrize("step", range(1, 4))
def test_a_removal_that_dies_anywhere_can_be_taken_up_again(step: int) -> None:
    objects = Dying()
    store = ObjectModelStore(objects)
    store.put_model("xgboost", files(3))
    objects.left = step
    with pytest.raises(CrashError):
        store.remove("xgboost", 3)

    for version in store.versions("xgboost"):
        store.remove("xgboost", version)

    assert keys(objects) == set()


def test_a_reader_sees_the_old_copy_or_the_new_one() -> None:
    objects = Dying()
    store = ObjectModelStore(objects)
    store.put_model("xgboost", files(3))
    before = {key: bytes(objects.get(key).bytes()) for key in keys(objects)}
    objects.left = 2  # the first content is written under a temporary key, and not yet in its place
    with pytest.raises(CrashError):
        store.put_model("xgboost", files(3, (1, 0, 0)))

    assert len(before) == 3
    assert {key: bytes(objects.get(key).bytes()) for key in before} == before


def test_folders_of_others_are_left_alone(
    store: ObjectModelStore, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_store, "LEFTOVER_AGE", timedelta(seconds=-5))
    store.put_model("xgboost", files(3))
    others = {"theirs/meta.json", "theirs/model.onnx", "0/abc/artifacts/model.onnx", "notes.txt"}
    for key in others:
        objects.put(key, b"{}")
    before = keys(objects)

    store.remove_leftovers()

    assert keys(objects) == before


def test_a_folder_without_a_pointer_stays_while_it_may_be_in_the_making(
    store: ObjectModelStore, objects: ObjectStore
) -> None:
    store.put_model("xgboost", files(3))
    objects.delete("rps_bot_xgboost/versions/3")

    store.remove_leftovers()

    assert keys(objects) == {"run-xgboost-3/meta.json", "run-xgboost-3/model.onnx"}


def test_a_file_url_makes_its_folder(tmp_path: Path) -> None:
    store = open_model_store((tmp_path / "a folder" / "models").as_uri())

    store.put_model("xgboost", files(3))

    assert (tmp_path / "a folder" / "models" / "rps_bot_xgboost" / "versions" / "3").is_file()


@pytest.mark.parametrize(
    "url",
    ["", "models", "file://models", "file:models", "gs://bucket", "s3://", "s3:", "s3://buck\net", "s3://a b"],
)
def test_a_url_that_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(StoreSettingError):
        open_model_store(url, S3Access("http://127.0.0.1:1", "key", "secret"))


@pytest.mark.parametrize("endpoint", WRONG_ENDPOINTS)
def test_an_endpoint_that_is_no_address_is_refused(endpoint: str) -> None:
    with pytest.raises(StoreSettingError) as caught:
        open_model_store("s3://bucket", S3Access(endpoint, "key", "swordfish"))
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize("access_key", ["", "k ey", "key\n", "k\u00e9y"])
def test_a_key_that_cannot_be_one_is_refused_and_not_repeated(access_key: str) -> None:
    for access in (S3Access(None, access_key, "swordfish"), S3Access(None, "key", access_key + "swordfish\n")):
        with pytest.raises(StoreSettingError, match="a character that no key has") as caught:
            open_model_store("s3://bucket", access)
        assert "swordfish" not in str(caught.value)


def test_s3_without_keys_is_refused() -> None:
    with pytest.raises(StoreSettingError, match="key"):
        open_model_store("s3://bucket")


def test_an_unreachable_server_fails_and_shows_no_secret() -> None:
    access = S3Access("http://127.0.0.1:1", "key", "swordfish")
    store = open_model_store("s3://bucket/some/folder", access)

    with pytest.raises(StoreUnavailable) as caught:
        store.get_model("xgboost", 3)

    assert "swordfish" not in str(caught.value)
    assert "swordfish" not in repr(access)
