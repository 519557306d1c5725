"""The checkpoint archive outside the database: every seal's note, kept in the object storage where the models are.

A person who can rewrite the database, seals and all, would have to rewrite these too.
"""

import re
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from configparser import Error as ConfigError
from contextlib import AbstractContextManager
from pathlib import Path

from ledger.errors import LedgerError
from projections.objects import (
    AddressError,
    AlreadyExistsError,
    ObjectStore,
    Patience,
    S3Access,
    check_endpoint,
    failures,
    open_bucket,
    open_folder,
    parse_address,
)

FOLDER = "seals"
READERS = 16
"""So many notes are read at once: one after the other, each would wait for its own round trip."""
PATIENCE = Patience(request_seconds=10, connect_seconds=3, retries=2)
_SIZE = re.compile(rf"{FOLDER}/([0-9]+)\.note").fullmatch
_SECTION = "default"


class ArchiveError(LedgerError):
    """The object storage cannot be used, or holds another note over the same events."""


class CheckpointArchive:
    """The notes in one object storage, each under the number of events that it covers."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def __call__(self, size: int, note: bytes) -> None:
        """Keep a note for ever; the same one may come again. Raises ArchiveError."""
        with _translated("write to"):
            try:
                self._objects.put(_path(size), note, mode="create")
            except AlreadyExistsError as error:
                if self._note(_path(size)) != note:
                    raise ArchiveError(f"the checkpoint archive has another seal over {size} events") from error

    def notes(self) -> list[tuple[int, bytes]]:
        """Every (size, note), by size. Raises ArchiveError."""
        with _translated("read"), ThreadPoolExecutor(READERS) as readers:
            paths = self._paths()
            return list(zip(sorted(paths), readers.map(self._note, map(paths.get, sorted(paths))), strict=True))

    def newest(self, after: int = 0) -> tuple[int, bytes] | None:
        """The (size, note) of the most events, if they are more than `after`. Raises ArchiveError."""
        with _translated("read"):
            paths = self._paths(after)
            size = max(paths, default=0)
            return (size, self._note(paths[size])) if size > after else None

    def set_aside(self, sizes: Collection[int], name: str) -> None:
        """Move the checkpoints over these sizes to a folder of that name, where they are kept and not looked for.

        Raises ArchiveError.
        """
        with _translated("write to"):
            for size in sizes:
                self._objects.rename(_path(size), f"{FOLDER}/{name}/{size:020d}.note")

    def _paths(self, after: int = 0) -> dict[int, str]:
        listed = self._objects.list(FOLDER, offset=_path(after))
        found = [_SIZE(meta["path"]) for page in listed for meta in page]
        return {int(one[1]): one[0] for one in found if one}

    def _note(self, path: str) -> bytes:
        return bytes(self._objects.get(path).bytes())


def open_archive(url: str, endpoint: str | None = None, credentials: Path | None = None) -> CheckpointArchive:
    """The checkpoint archive in a folder, given as its path or as file:///FOLDER, or at s3://BUCKET[/PREFIX].

    The latter takes the endpoint, unless it is AWS's own, and a file with keys in the form of AWS's credentials:
    `aws_access_key_id` and `aws_secret_access_key` in the section `default`. Raises ArchiveError.
    """
    try:
        place = parse_address(url, bare=True)
        check_endpoint(endpoint)
    except AddressError as error:
        raise ArchiveError(f"{error}; name a folder that has `{FOLDER}`, or s3://BUCKET/PREFIX") from error
    if isinstance(place, Path):
        if not (place.absolute() / FOLDER).is_dir():
            raise ArchiveError(f"there is no folder {place.absolute() / FOLDER}")
        with _translated("open"):
            return CheckpointArchive(open_folder(place.absolute(), make=False))
    if credentials is None:
        raise ArchiveError(f"s3://{place.name} needs keys: name their file with --archive-credentials")
    access = S3Access(endpoint, *_read_keys(credentials))
    try:
        with _translated("open"):
            return CheckpointArchive(open_bucket(place, access, PATIENCE))
    except AddressError as error:
        raise ArchiveError(str(error)) from error


def _read_keys(path: Path) -> tuple[str, str]:
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text("utf-8"))
        keys = parser[_SECTION]
        return keys["aws_access_key_id"], keys["aws_secret_access_key"]
    except OSError as error:
        raise ArchiveError(f"cannot read the keys in {path}: {error.strerror}") from error
    except (ConfigError, KeyError, UnicodeDecodeError) as error:
        # Not with the error's own words, in which a key may stand.
        form = f"[{_SECTION}], aws_access_key_id = ... and aws_secret_access_key = ..."
        raise ArchiveError(f"{path} holds no keys: three lines are expected, {form}") from error


def _path(size: int) -> str:
    return f"{FOLDER}/{size:020d}.note"


def _translated(operation: str) -> AbstractContextManager[None]:
    return failures(lambda problem: ArchiveError(f"cannot {operation} the checkpoint archive: {problem}"))
