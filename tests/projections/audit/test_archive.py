from pathlib import Path

import pytest
from obstore.store import LocalStore, MemoryStore

from projections.audit.archive import FOLDER, ArchiveError, CheckpointArchive, open_archive
from tests.endpoints import WRONG_ENDPOINTS
from tests.s3_server import STORE_KEY, STORE_SECRET, S3Gateway

KEYS = f"[default]\naws_access_key_id = {STORE_KEY}\naws_secret_access_key = {STORE_SECRET}\n"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(KEYS, "utf-8")
    return path


def test_notes_come_back_by_size() -> None:
    archive = CheckpointArchive(MemoryStore())

    for size in (1_024, 7, 99):
        archive(size, b"note over %d" % size)

    assert archive.notes() == [(size, b"note over %d" % size) for size in (7, 99, 1_024)]


@pytest.mark.parametrize(
    ("after", "newest"), [(0, 1_024), (99, 1_024), (1_023, 1_024), (1_024, None), (5_000, None)]
)
def test_the_newest_note_is_the_one_over_the_most_events(tmp_path: Path, after: int, newest: int | None) -> None:
    for objects in (MemoryStore(), LocalStore(tmp_path)):
        archive = CheckpointArchive(objects)
        assert archive.newest(after) is None
        for size in (1_024, 7, 99):
            archive(size, b"note over %d" % size)

        assert archive.newest(after) == (newest and (newest, b"note over %d" % newest))


def test_the_same_note_may_come_again_and_another_may_not() -> None:
    archive = CheckpointArchive(MemoryStore())
    archive(7, b"first")
    archive(7, b"first")

    with pytest.raises(ArchiveError, match="another seal over 7"):
        archive(7, b"second")

    assert archive.notes() == [(7, b"first")]


def test_other_things_in_the_store_are_left_alone() -> None:
    objects = MemoryStore()
    for path in (f"{FOLDER}/README", f"{FOLDER}/8.txt", f"{FOLDER}/old/9.note", "model.onnx"):
        objects.put(path, b"hello")
    archive = CheckpointArchive(objects)
    archive(7, b"note")

    assert archive.notes() == [(7, b"note")]
    assert archive.newest() == (7, b"note")


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_folder_is_opened_by_path_or_url(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "a b"
    CheckpointArchive(LocalStore(folder, mkdir=True))(7, b"note")
    named = str(folder) if form == "{}" else folder.as_uri()

    assert open_archive(named).notes() == [(7, b"note")]


@pytest.mark.parametrize(
    "url", ["http://host/folder", "file://host/folder", "/nowhere/at/all", "", "s3://", "s3:x"]
)
def test_what_is_no_folder_with_seals_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ArchiveError, match="folder"):
        open_archive(url)


@pytest.mark.parametrize("url", ["http://[", "s3://bucket:port", "s3://bucket:99999/x"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ArchiveError, match="is no address"):
        open_archive(url)


def test_a_store_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / FOLDER).touch()

    with pytest.raises(ArchiveError, match="cannot write"):
        CheckpointArchive(LocalStore(tmp_path))(7, b"note")


@pytest.mark.parametrize("prefix", ["", "/models/of a service"])
def test_notes_in_a_bucket_are_read_over_http(s3: S3Gateway, keys: Path, prefix: str) -> None:
    url = f"s3://{s3.new_bucket()}{prefix}"
    writing, reading = (open_archive(url, s3.endpoint, keys) for _ in range(2))
    assert (reading.notes(), reading.newest()) == ([], None)

    for size in (7, 1_024, 99):
        writing(size, b"note over %d" % size)
        writing(size, b"note over %d" % size)

    assert reading.notes() == [(size, b"note over %d" % size) for size in (7, 99, 1_024)]
    assert reading.newest(99) == (1_024, b"note over 1024")
    with pytest.raises(ArchiveError, match="another seal over 7"):
        writing(7, b"another")


def test_a_bucket_that_is_not_there_is_an_error_without_secrets(s3: S3Gateway, keys: Path) -> None:
    for endpoint in (s3.endpoint, "http://127.0.0.1:1"):
        with pytest.raises(ArchiveError, match="cannot read the checkpoint archive") as caught:
            open_archive("s3://no-such-bucket", endpoint, keys).notes()

        assert STORE_SECRET not in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("endpoint", WRONG_ENDPOINTS)
def test_an_endpoint_that_is_no_address_is_refused(keys: Path, endpoint: str) -> None:
    with pytest.raises(ArchiveError, match="is no"):
        open_archive("s3://bucket", endpoint, keys)


@pytest.mark.parametrize(
    "text", ["", "secret", KEYS.replace("default", "other"), "[default]\nsecret", KEYS.replace("_id", ""), "\xff"]
)
def test_a_file_without_keys_is_refused_and_not_repeated(keys: Path, text: str) -> None:
    keys.write_bytes(text.encode("latin-1"))

    with pytest.raises(ArchiveError, match="holds no keys") as caught:
        open_archive("s3://bucket", "http://minio:9000", keys)

    assert STORE_SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bucket_needs_keys(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="--archive-credentials"):
        open_archive("s3://bucket")
    with pytest.raises(ArchiveError, match="cannot read the keys"):
        open_archive("s3://bucket", None, tmp_path / "none")
