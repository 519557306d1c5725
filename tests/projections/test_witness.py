from pathlib import Path

import pytest
from obstore.store import LocalStore, MemoryStore

from projections.witness import FOLDER, Witness, WitnessError, open_witness


def test_notes_come_back_by_size() -> None:
    witness = Witness(MemoryStore())

    for size in (1_024, 7, 99):
        witness(size, b"note over %d" % size)

    assert witness.notes() == [(size, b"note over %d" % size) for size in (7, 99, 1_024)]


def test_the_same_note_may_come_again_and_another_may_not() -> None:
    witness = Witness(MemoryStore())
    witness(7, b"first")
    witness(7, b"first")

    with pytest.raises(WitnessError, match="another seal over 7"):
        witness(7, b"second")

    assert witness.notes() == [(7, b"first")]


def test_other_things_in_the_store_are_left_alone() -> None:
    objects = MemoryStore()
    objects.put(f"{FOLDER}/README", b"hello")
    objects.put("model.onnx", b"graph")
    witness = Witness(objects)
    witness(7, b"note")

    assert witness.notes() == [(7, b"note")]


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_folder_is_opened_by_path_or_url(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "a b"
    Witness(LocalStore(folder, mkdir=True))(7, b"note")
    named = str(folder) if form == "{}" else folder.as_uri()

    assert open_witness(named).notes() == [(7, b"note")]


@pytest.mark.parametrize("url", ["s3://bucket", "http://host/folder", "file://host/folder", "/nowhere/at/all", ""])
def test_what_is_no_folder_with_seals_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(WitnessError, match="folder"):
        open_witness(url)


def test_a_store_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / FOLDER).touch()

    with pytest.raises(WitnessError, match="cannot write"):
        Witness(LocalStore(tmp_path))(7, b"note")
