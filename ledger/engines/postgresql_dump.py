"""A dump of a ledger's schema by PostgreSQL's own programs, and a database for the time of a look into it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine

from ledger.errors import StorageError
from ledger.masking import mask_addresses

_TEXT_MAX: Final = 500


def dump(engine: Engine, schema: str, target: Path) -> None:
    """Write the schema as it is in one state to a file. Raises StorageError."""
    parameters = _parameters(engine)
    _run("pg_dump", parameters, "--format=custom", f"--schema={schema}", *_PLAIN, f"--file={target}")


@contextmanager
def restored(engine: Engine, dumped: Path) -> Iterator[str]:
    """The name of a new database on the same server with what a dump holds, which is gone after the block.

    Raises StorageError, also where the role may make none.
    """
    parameters = _parameters(engine)
    name = f"restored_{token_hex(8)}"
    _run("createdb", parameters, "--template=template0", "--encoding=UTF8", name, maintaining=True)
    try:
        # The schema is in the dump, and an empty one of its name in the new database.
        inside = {**parameters, "dbname": name}
        _run("pg_restore", inside, "--clean", "--if-exists", "--exit-on-error", *_PLAIN, str(dumped))
        yield name
    finally:
        _run("dropdb", parameters, name, maintaining=True)


_PLAIN: Final = ("--no-owner", "--no-privileges")


def _parameters(engine: Engine) -> dict[str, Any]:
    _, parameters = engine.dialect.create_connect_args(engine.url)
    return {name: value for name, value in parameters.items() if name != "context"}


def _run(program: str, parameters: dict[str, Any], *arguments: str, maintaining: bool = False) -> None:
    path = shutil.which(program)
    if path is None:
        raise StorageError(f"{program} is not installed: it comes with PostgreSQL's client programs")
    parameters = dict(parameters)
    password = parameters.pop("password", None)
    option = "--maintenance-db" if maintaining else "--dbname"
    done = subprocess.run(
        [path, f"{option}={make_conninfo(**parameters)}", *arguments],
        # A command's words can be seen by all; without a password the program finds one as it is used to.
        env=None if password is None else {**os.environ, "PGPASSWORD": str(password)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StorageError(f"{program} failed: {mask_addresses(' '.join(done.stderr.split()))[:_TEXT_MAX]}")
