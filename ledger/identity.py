"""Which ledger a database holds: an id made at its birth, and copies of it outside with a link of the chain.

The chain proves that what a database holds fits together. It cannot say whether that is the ledger of yesterday,
or all of it: a new file, another ledger's, or an old backup fits just as well.
"""

from pathlib import Path

import msgspec
from sqlalchemy import Engine, select

from ledger.chain import GENESIS
from ledger.decoders import json_decoder
from ledger.engines.database import transaction
from ledger.errors import IdentityError, StorageError
from ledger.events import KnownLedger
from ledger.files import new_file, problem_of
from ledger.schema import ledger_identity
from ledger.store import Ledger

ADVICE = (
    'put the right database back, or, if this one is to go on in its place, run `rps accept-ledger --reason "..."`'
)

_decode = json_decoder(KnownLedger).decode


def newest_link(ledger: Ledger) -> KnownLedger:
    """What can be known of a ledger now: its id, and its head with the chain hash. Raises StorageError."""
    head = ledger.head()
    return KnownLedger(ledger_id=read_id(ledger.engine), position=head.position, chain_hash=head.chain_hash.hex())


def read_id(engine: Engine) -> str:
    """The id of the ledger in a database. Raises StorageError, IdentityError when it has none."""
    with transaction(engine) as connection:
        found = connection.scalar(select(ledger_identity.c.ledger_id))
    if found is None:
        raise IdentityError("the database has lost the ledger's id: restore it from a backup")
    return str(found)


def check_link(ledger: Ledger, known: KnownLedger, where: str) -> None:
    """Raise IdentityError when the ledger is not the one that `where` knows, or is shorter; or StorageError."""
    found = read_id(ledger.engine)
    name = ledger.engine.url.database
    if found != known.ledger_id:
        raise IdentityError(f"{name} holds ledger {found}, and {where} knows ledger {known.ledger_id}: {ADVICE}")
    head = ledger.head().position
    if head < known.position:
        raise IdentityError(
            f"{name} ends at position {head}, and {where} knows position {known.position} of this ledger: {ADVICE}"
        )
    if known.position and _hash_at(ledger, known.position) != known.chain_hash:
        problem = f"{name} has another history at position {known.position} than {where} knows"
        raise IdentityError(f"{problem}: {ADVICE}")


class LinkFile:
    """A file beside the database that keeps a link, for the next start to compare."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> KnownLedger | None:
        """The link that is kept; None where there is no file. Raises IdentityError for a file that holds none."""
        try:
            return _decode(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise IdentityError(f"cannot read {self.path}: {problem_of(error)}") from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise IdentityError(f"{self.path} holds no ledger's id ({error}): {ADVICE}") from error

    def write(self, link: KnownLedger) -> None:
        """Keep a link in the place of the one before. Raises StorageError."""
        try:
            with new_file(self.path, replace=True) as file:
                file.write(msgspec.json.encode(link) + b"\n")
        except OSError as error:
            raise StorageError(f"cannot write {self.path}: {problem_of(error)}") from error


def _hash_at(ledger: Ledger, position: int) -> str:
    found = ledger.read(position - 1, limit=1)
    return found[0].chain_hash.hex() if found else GENESIS.hex()
