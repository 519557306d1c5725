"""A ledger into another database, of whatever kind: each event as it stands, the seals, and its own id."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import MetaData, Table, insert, inspect, select

from ledger.engines.database import database_of, transaction
from ledger.entries import Head
from ledger.errors import LedgerError
from ledger.identity import read_id
from ledger.schema import events, ledger_identity, seals
from ledger.store import Ledger
from ledger.verification.transfer import NotEmptyError

PAGE_ENTRIES = 10_000


class Copied(NamedTuple):
    """What was copied, and where the log ends."""

    head: Head
    seals: int
    rows: int
    """Of the tables beside the log."""


class CopyError(LedgerError):
    """What was copied is not what there was."""


def copy_ledger(
    source: Ledger,
    target: Ledger,
    *,
    beside: Sequence[str] = (),
    progress: Callable[[int], None] | None = None,
) -> Copied:
    """Copy a log, its seals and its id into a ledger without events, all or nothing, with the tables `beside` it.

    What is folded from the log is not copied: the first start folds it again. Nothing may be appended to the
    source meanwhile, or the copy is an earlier one. Raises NotEmptyError, CopyError, StorageError.
    """
    database, head = database_of(target.engine), source.head()
    ledger_id = read_id(source.engine)
    with transaction(target.engine, write=[events, seals, ledger_identity]) as connection:
        database.linger(connection)
        if found := database.look(connection, (), ())[0]:
            raise NotEmptyError(found[0])
        for page in source.pages(through=head.position, limit=PAGE_ENTRIES):
            database.load(connection, page)
            if progress is not None:
                progress(len(page))
        sealed = [seal for seal in _rows(source, seals) if seal["size"] <= head.position]
        for seal in sorted(sealed, key=itemgetter("size")):
            connection.execute(insert(seals).values(seal))
        database.adopt(connection, ledger_id)
        count = 0
        for name in beside:
            table = Table(name, MetaData(), autoload_with=source.engine)
            rows = _rows(source, table)
            if rows and inspect(connection).has_table(name):
                connection.execute(insert(table), rows)
            count += len(rows)
    if target.head() != head or read_id(target.engine) != ledger_id:
        raise CopyError("the copy does not end where its source does: nothing else may write to either meanwhile")
    return Copied(head, len(sealed), count)


def _rows(ledger: Ledger, table: Table) -> list[dict[str, Any]]:
    keys = [column.key for column in table.columns]
    with transaction(ledger.engine) as connection:
        return [dict(zip(keys, row, strict=True)) for row in connection.execute(select(table))]
