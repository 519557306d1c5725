import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.engines.database import file_of
from ledger.files import keep_names, make_folder, make_private, name_full, new_file, problem_of, sqlite_url


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def open_to_all() -> Iterator[None]:
    """A umask that leaves everything to everybody, so that nothing is private by chance."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_new_file_appears_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"

    with new_file(path) as file:
        file.write(b"half")
        assert not path.exists()
        file.write(b" and half")

    assert path.read_bytes() == b"half and half"
    assert mode_of(path) == 0o600
    assert os.listdir(tmp_path) == ["file"]


def test_nothing_stays_of_a_file_that_could_not_be_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space"), new_file(tmp_path / "file"):
        raise OSError(errno.ENOSPC, "No space left on device")

    assert os.listdir(tmp_path) == []


def test_a_new_file_takes_the_place_of_another_only_where_it_may(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")

    with pytest.raises(FileExistsError), new_file(path) as file:
        file.write(b"after")
    assert path.read_bytes() == b"before"

    with new_file(path, replace=True) as file:
        file.write(b"after")
    assert path.read_bytes() == b"after"
    assert os.listdir(tmp_path) == ["file"]


def test_every_folder_that_is_made_is_private_and_no_other_is_touched(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o755)

    make_folder(tmp_path / "one" / "two")
    make_folder(tmp_path / "one" / "two")

    assert mode_of(tmp_path) == 0o755
    assert mode_of(tmp_path / "one") == mode_of(tmp_path / "one" / "two") == 0o700


def test_a_file_from_before_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(mode=0o644)

    make_private(path)
    make_private(tmp_path / "none")

    assert mode_of(path) == 0o600


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_called_by_its_name(number: int) -> None:
    assert problem_of(OSError(number, os.strerror(number))) == f"disk full ({os.strerror(number)})"


def test_another_problem_is_called_as_the_system_calls_it() -> None:
    assert problem_of(OSError(errno.EACCES, "Permission denied")) == "Permission denied"
    assert problem_of(OSError("no number")) == "no number"


def test_a_full_disk_in_the_words_of_a_library_is_named_too() -> None:
    said = "Generic LocalFileSystem error: Unable to copy data to file: No space left on device (os error 28)"

    assert name_full(said) == f"disk full: {said}"
    assert name_full("Permission denied (os error 13)") == "Permission denied (os error 13)"


def test_a_folder_is_not_made_private_as_if_it_were_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)

    make_private(tmp_path / "data")

    assert mode_of(tmp_path / "data") == 0o755


@pytest.mark.parametrize("replace", [True, False])
def test_a_new_file_s_name_is_as_durable_as_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replace: bool
) -> None:
    synced: list[Path] = []
    true = os.fsync

    def record(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        true(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    with new_file(tmp_path / "file", replace=replace) as file:
        file.write(b"whole")

    *_, last = synced
    assert last == tmp_path


def test_names_in_what_is_no_folder_are_kept_by_no_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(NotADirectoryError):
        keep_names(tmp_path / "file")


@pytest.mark.parametrize("name", ["plain.db", "a b.db", "a?b.db", "a%25b%.db", "a#b&c.db", "ä.db"])
def test_a_file_s_url_is_that_of_the_file(tmp_path: Path, name: str) -> None:
    assert file_of(sqlite_url(tmp_path / name)) == tmp_path / name
