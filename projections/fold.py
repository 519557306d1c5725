"""The one way in which events are folded: by a service, by a replay and by an audit.

An event that cannot be read, or that does not fit what came before it, stops the fold with its position: a state
without it would be wrong from there on, and nothing would show it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ledger.codec import Codec
from ledger.entries import Entry
from ledger.errors import UnreadableEventError
from ledger.events import Event, PredictionMade, wire_name
from ledger.store import PAGE_ENTRIES, Ledger
from projections.errors import ProjectionError

Progress = Callable[[int], None]
"""Hears how many entries were read since its last call."""


Take = Callable[[Any, Entry], object]


class Reader(NamedTuple):
    """What takes in the events of one type, and the name that an error gives it."""

    name: str
    take: Take


Readers = Mapping[str, Sequence[Reader]]
"""Wire name -> who reads events of this type."""


class Fold:
    """Hands every event to its readers, in order."""

    def __init__(self, codec: Codec, readers: Readers) -> None:
        self._codec = codec
        self._readers = readers
        self._known = {
            (kind, version): (decode, [reader.take for reader in readers.get(kind, ())])
            for (kind, version), decode in codec.newest.items()
        }

    def __call__(self, entries: Iterable[Entry]) -> None:
        """Fold the entries that come next. Raises ProjectionError at the first that stops it."""
        # The loop that every event goes through, a million times in a replay: nothing of an entry is looked up
        # twice, and what it has failed on is found out afterwards.
        known, codec = self._known, self._codec
        for entry in entries:
            _, _, _, _, kind, schema_version, _, payload, _ = entry
            take = None
            try:
                if (found := known.get((kind, schema_version))) is not None:
                    decode, takers = found
                    event = decode(payload)
                else:
                    event, takers = (
                        codec.decode(kind, schema_version, payload),
                        known[kind, codec.schema_versions[kind]][1],
                    )
                for take in takers:
                    take(event, entry)
            except ProjectionError:
                raise
            except Exception as error:  # a reader's bug may raise anything; half a fold must never be shown
                raise _explained(entry, codec, self._readers, take, error) from error


def walk(
    ledger: Ledger,
    name: str,
    takers: Mapping[type[Event], Take],
    *,
    through: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Hand every event of these classes to what takes it, from the first on, up to `through` or the head.

    `name` is what an error calls the reader. Raises ProjectionError.
    """
    readers = {wire_name(event_class): (Reader(name, take),) for event_class, take in takers.items()}
    fold, read = Fold(ledger.codec, readers), 0
    for until, entries in _found(ledger, readers.keys(), ledger.head().position if through is None else through):
        fold(entries)
        if progress is not None:
            progress(until - read)
        read = until


def _found(ledger: Ledger, types: Collection[str], last: int) -> Iterator[tuple[int, list[Entry]]]:
    """The entries of these types, up to `last`, each time with the position up to which they are all."""
    if wire_name(PredictionMade) in types:  # three of four events are: a page has few others to pass over
        for page in ledger.pages(through=last):
            yield page[-1].position, [entry for entry in page if entry.type in types]
    else:
        for after in range(0, last, PAGE_ENTRIES):
            until = min(after + PAGE_ENTRIES, last)
            yield until, ledger.read(after, through=until, types=tuple(types))


def decode(entry: Entry, codec: Codec) -> Event:
    """The event that an entry holds. Raises ProjectionError."""
    try:
        return codec.decode(entry.type, entry.schema_version, entry.payload)
    except UnreadableEventError as error:
        raise ProjectionError(entry.position, entry.type, str(error)) from error


def _explained(
    entry: Entry, codec: Codec, readers: Readers, take: Take | None, error: Exception
) -> ProjectionError:
    """What stopped a fold: an event that no reader was given, or the reader that could not take it in."""
    if take is None:
        try:
            codec.decode(entry.type, entry.schema_version, entry.payload)
        except UnreadableEventError as unreadable:
            return ProjectionError(entry.position, entry.type, str(unreadable))
    name = next((reader.name for reader in readers.get(entry.type, ()) if reader.take is take), "the fold")
    return ProjectionError(entry.position, entry.type, _problem(name, error))


def _problem(name: str, error: Exception) -> str:
    if isinstance(error, KeyError) and error.args:
        key = error.args[0]
        shown = "/".join(map(str, key)) if isinstance(key, tuple) else str(key)
        return f"{name} knows no {shown!r}: no event before has brought it in, and no closed set holds it"
    return f"{name} cannot take it in: {type(error).__name__}: {error}"
