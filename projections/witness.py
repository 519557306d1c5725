"""The witness outside the database: every seal's note, kept in the object storage where the models are.

Whoever can rewrite the database, seals and all, would have to rewrite these too.
"""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore

from ledger.errors import LedgerError

FOLDER = "seals"


class WitnessError(LedgerError):
    """The object storage cannot be used, or holds another note over the same events."""


class Witness:
    """The notes in one object storage, each under the number of events that it covers."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def __call__(self, size: int, note: bytes) -> None:
        """Keep a note for ever; the same one may come again. Raises WitnessError."""
        path = f"{FOLDER}/{size:020d}.note"
        try:
            self._objects.put(path, note, mode="create")
        except AlreadyExistsError as error:
            if bytes(self._objects.get(path).bytes()) != note:
                raise WitnessError(f"the witness has another seal over {size} events") from error
        except (BaseError, OSError) as error:
            raise WitnessError(f"cannot write to the witness: {_first_line(error)}") from error

    def notes(self) -> list[tuple[int, bytes]]:
        """Every (size, note), by size. Raises WitnessError."""
        try:
            paths = sorted(str(meta["path"]) for page in self._objects.list(FOLDER) for meta in page)
            notes = [(path, bytes(self._objects.get(path).bytes())) for path in paths]
        except (BaseError, OSError) as error:
            raise WitnessError(f"cannot read the witness: {_first_line(error)}") from error
        named = [(path.removeprefix(f"{FOLDER}/").removesuffix(".note"), note) for path, note in notes]
        return [(int(size), note) for size, note in named if size.isdecimal()]


def open_witness(url: str) -> Witness:
    """The witness in a folder, given as its path or as file:///FOLDER. Raises WitnessError.

    For object storage elsewhere: copy its folder `seals` with whatever tool has the keys to it.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("", "file") or parts.netloc:
        raise WitnessError(
            f"{url} is no folder: copy the notes from there, and name the folder that has `{FOLDER}`"
        )
    path = Path(unquote(parts.path)).absolute()
    if not (path / FOLDER).is_dir():
        raise WitnessError(f"there is no folder {path / FOLDER}")
    return Witness(LocalStore(path))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
