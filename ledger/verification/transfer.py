"""The log as JSON Lines, out and in again: positions, ids, times, payload bytes and hashes stay as they are."""

import base64
import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Annotated, Any

import msgspec
from sqlalchemy import func, select

from ledger.chain import GENESIS, leaf
from ledger.decoders import json_decoder
from ledger.engines.database import database_of, transaction
from ledger.entries import Entry
from ledger.errors import DamagedError, LedgerError
from ledger.rows import PAGE_ROWS, misfit
from ledger.schema import events
from ledger.store import Ledger


class ImportRefusedError(LedgerError):
    """A line that does not continue an intact log; nothing was written."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}; nothing was imported")
        self.line = line
        self.problem = problem


class NotExportedError(ImportRefusedError):
    """A line that is no exported entry at all; nothing was written."""


class NotEmptyError(LedgerError):
    """An import is for an empty ledger only."""

    def __init__(self, position: int) -> None:
        super().__init__(f"the ledger already holds {position} events: an import is for an empty one only")
        self.position = position


# What a column can hold: a larger number would be refused by the driver, in its own words and without the line.
Stored = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_ABSENT = msgspec.Raw()  # a union with None is not to be had: anything at all would be a Raw


class ExportedEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One line. The payload stands in it as it is stored; as base64 where that is not the text of a JSON value."""

    position: Stored
    event_id: str
    stream: str
    version: Stored
    type: str
    schema_version: Stored
    recorded_us: Stored
    chain_hash: str
    payload: msgspec.Raw = _ABSENT
    payload_base64: str | None = None


# The columns that come before the two that JSON cannot hold.
_AS_THEY_ARE = Entry._fields[:-2]
assert Entry._fields[-2:] == ("payload", "chain_hash")
assert ExportedEntry.__struct_fields__[: len(_AS_THEY_ARE)] == _AS_THEY_ARE

_encode = msgspec.json.Encoder().encode
_decode = json_decoder(ExportedEntry).decode
_decode_object = json_decoder(dict[str, Any]).decode


def export_lines(ledger: Ledger) -> Iterator[bytes]:
    """The lines of all entries up to the head as it is now, each with its newline."""
    for page in ledger.pages(through=ledger.head().position):
        for entry in page:
            yield _encode(_exported(entry)) + b"\n"


def import_lines(ledger: Ledger, lines: Iterable[bytes], progress: Callable[[int], None] | None = None) -> int:
    """Append the exported entries with their positions, times and hashes, all or none; returns how many.

    The chain is recomputed on the way. Raises ImportRefusedError, NotEmptyError, StorageError.
    """
    last, database = 0, database_of(ledger.engine)
    with transaction(ledger.engine, write=[events]) as connection:
        database.linger(connection)
        if head := connection.scalar(select(func.max(events.c.position))):
            raise NotEmptyError(head)
        checked = _checked(lines)
        while batch := list(islice(checked, PAGE_ROWS)):
            database.load(connection, batch)
            last = batch[-1].position
            if progress is not None:
                progress(len(batch))
    return last


def _exported(entry: Entry) -> ExportedEntry:
    if column := misfit(entry):
        raise DamagedError(f"{column} of position {entry.position}")
    plain = _is_json(entry.payload)
    kept: dict[str, Any] = {name: getattr(entry, name) for name in _AS_THEY_ARE}
    return ExportedEntry(
        **kept,
        chain_hash=entry.chain_hash.hex(),
        payload=msgspec.Raw(entry.payload) if plain else _ABSENT,
        payload_base64=None if plain else base64.b64encode(entry.payload).decode(),
    )


def _is_json(payload: bytes) -> bool:
    """Whether the payload can stand in a line as it is, and be cut out of it again without losing a byte."""
    if b"\n" in payload or payload.strip() != payload:
        return False
    try:
        _decode_object(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _checked(lines: Iterable[bytes]) -> Iterator[Entry]:
    previous, recorded_us = GENESIS, 0
    versions: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        entry = _imported(number, line)
        if entry.position != number:
            raise ImportRefusedError(number, f"position {entry.position} stands where {number} is expected")
        if not entry.follows(previous):
            raise ImportRefusedError(number, f"the entry at position {number} does not give its chain hash")
        if entry.recorded_us < recorded_us:
            raise ImportRefusedError(number, f"position {number} is earlier than the entry before it")
        if entry.version != (known := versions.get(entry.stream, 0)) + 1:
            problem = f"version {entry.version} of stream {entry.stream!r} follows version {known}"
            raise ImportRefusedError(number, problem)
        previous, recorded_us = entry.chain_hash, entry.recorded_us
        versions[entry.stream] = entry.version
        yield entry


def _imported(number: int, line: bytes) -> Entry:
    try:
        read = _decode(line)
        if read.payload_base64 is None:
            payload = bytes(read.payload)
        else:
            payload = base64.b64decode(read.payload_base64, validate=True)
        kept = (getattr(read, name) for name in _AS_THEY_ARE)
        entry = Entry._make((*kept, payload, bytes.fromhex(read.chain_hash)))
        leaf(*entry[:-1])
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError, struct.error) as error:
        raise NotExportedError(number, f"it is no exported entry: {error}") from error
    return entry
