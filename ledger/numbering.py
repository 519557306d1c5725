"""Positions, versions and hashes for the appends of one transaction, or why one may not have them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger.appends import Append, Receipt
from ledger.chain import link, stored_leaf
from ledger.entries import Entry, Head, entry_of
from ledger.errors import ConflictError, DuplicateError, LedgerError


@dataclass(slots=True)
class Numbering:
    """The head as it moves while appends of one transaction are numbered."""

    head: Head
    versions: dict[str, int]
    known: dict[str, Entry] = field(default_factory=dict)
    """Of the ids that may be repeated, those that are stored."""
    entries: list[Entry] = field(default_factory=list)
    """What the appends add, in order of position."""


def number(numbering: Numbering, append: Append, now_us: int) -> Receipt | LedgerError:
    """Give the append its positions and hashes, or say why it may not have them."""
    if append.keyed and (repeated := _repeated(numbering, append)):
        return repeated
    actual = numbering.versions.get(append.stream, 0)
    expected = append.expected_version
    if expected is not None and expected != actual:
        return ConflictError(append.stream, expected, actual)
    for other, provided in append.provided:
        if (found := numbering.versions.get(other, 0)) != provided:
            return ConflictError(other, provided, found)
    position, chain_hash, _ = numbering.head
    first, version, stream = position + 1, actual, append.stream
    stream_bytes = stream.encode()
    # The loop that every event goes through, inside the write lock: plain tuples, no names looked up twice.
    for event_id, event_type, schema_version, payload in append.events:
        position, version = position + 1, version + 1
        hashed = stored_leaf(
            position,
            event_id.encode(),
            stream_bytes,
            version,
            event_type.encode(),
            schema_version,
            now_us,
            payload,
        )
        chain_hash = link(chain_hash, hashed)
        entry = entry_of(
            (position, event_id, stream, version, event_type, schema_version, now_us, payload, chain_hash)
        )
        numbering.entries.append(entry)
        if append.keyed:
            numbering.known[event_id] = entry
    numbering.head = Head(position, chain_hash, now_us)
    numbering.versions[append.stream] = version
    return Receipt(first, position, version, now_us)


def _repeated(numbering: Numbering, append: Append) -> Receipt | DuplicateError | None:
    """The first receipt of an append that was made before; an error if its ids stand for something else."""
    found = [numbering.known.get(event.event_id) for event in append.events]
    first = next((entry for entry in found if entry), None)
    if first is None:
        return None
    for index, (event, entry) in enumerate(zip(append.events, found, strict=True)):
        if entry is None:
            return DuplicateError(first.event_id, first.position)
        content = (entry.stream, entry.version, entry.type, entry.schema_version, entry.payload)
        if content != (append.stream, first.version + index, *event[1:]):
            return DuplicateError(entry.event_id, entry.position)
    entries = [entry for entry in found if entry]
    return Receipt(entries[0].position, entries[-1].position, entries[-1].version, entries[-1].recorded_us)


def expected_versions(appends: Sequence[Append]) -> dict[str, int]:
    """The versions of the streams before these appends, where all of them are right."""
    expected: dict[str, int] = {}
    for append in appends:
        for stream, version in (*append.provided, (append.stream, append.expected_version or 0)):
            expected.setdefault(stream, version)
    return expected
