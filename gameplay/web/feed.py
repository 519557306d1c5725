"""The event feed: the ledger's events in order, for programs that follow it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec import Raw, Struct
from starlette.requests import Request
from starlette.responses import Response

from gameplay.refusals import Conflict
from gameplay.web.bodies import answer
from gameplay.web.console.withheld import WITHHELD, game_of, is_open
from gameplay.web.queries import choices, one, whole
from gameplay.web.state import lanes_of, service_of
from ledger.codec import DECODE_ERRORS
from ledger.decoders import json_decoder
from ledger.entries import Entry
from ledger.errors import UnreadableEventError
from ledger.events import EVENT_TYPES
from ledger.store import Ledger
from ledger.times import show_time

LIMIT = 100
LIMIT_MAX = 1_000
POSITION_MAX = 2**53
SCANNED_MAX = 20_000
"""Entries that one look reads through for the types asked for: no index finds them."""

_decode_fields = json_decoder(dict[str, Any]).decode
_decode_raw = json_decoder(Raw).decode


class FeedEvent(Struct, frozen=True, kw_only=True):
    """An event; `payload` as it is stored, but for the fields that `withheld` names."""

    position: int
    event_id: str
    stream: str
    version: int
    type: str
    schema_version: int
    recorded: str
    payload: Any
    withheld: tuple[str, ...]


class Asked(NamedTuple):
    """Which events a caller wants: those after a position, of these types or, without any, of all."""

    after: int
    types: tuple[str, ...]
    complete: bool
    """The caller has shown the token: nothing is withheld."""


class Page(NamedTuple):
    """What a look has found; everything up to `through` was looked at."""

    events: list[FeedEvent]
    through: int
    head: int


async def events(request: Request) -> Response:
    """GET /internal/ledger/events."""
    service, asked = service_of(request), asked_for(request)
    limit = whole(request, "limit", LIMIT, 1, LIMIT_MAX)
    page = await lanes_of(request).reads(read_page, service.core.ledger, asked, limit)
    body = {"events": page.events, "next_after": page.through, "head": page.head}
    return answer(body, headers={"Cache-Control": "no-store"})


def asked_for(request: Request) -> Asked:
    """What the query asks for. Raises Refusal."""
    settings = service_of(request).core.settings
    after = 0 if one(request, "after") is None else whole(request, "after", 0, 0, POSITION_MAX)
    # The guard before this call has demanded the token where one is set.
    return Asked(after, choices(request, "type", EVENT_TYPES), complete=settings.internal_token is not None)


def read_page(ledger: Ledger, asked: Asked, limit: int) -> Page:
    """The next events. Raises Conflict, StorageError, and UnreadableEventError for a payload that is no JSON."""
    head = check_reached(ledger, asked.after)
    through = min(head, asked.after + SCANNED_MAX) if asked.types else head
    entries = ledger.read(asked.after, limit=limit, through=through, types=asked.types)
    if len(entries) == limit:
        through = entries[-1].position
    withheld = _nothing if asked.complete else _Withholding(ledger)
    return Page([_event(entry, withheld(entry)) for entry in entries], through, head)


def check_reached(ledger: Ledger, after: int) -> int:
    """The head. Raises Conflict where it lies before `after`: what comes there is not what the caller waits for.

    An empty answer would let a follower of a restored ledger wait, and lose what is appended up to `after`.
    """
    head = ledger.head().position
    if after > head:
        raise Conflict(f"the ledger ends at position {head}, before {after}: it was restored, or is another one")
    return head


def _nothing(_entry: Entry) -> frozenset[str]:
    return frozenset()


class _Withholding:
    """What is not shown of unfinished games; each game is looked up once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._open: dict[str, bool] = {}

    def __call__(self, entry: Entry) -> frozenset[str]:
        fields, game_id = WITHHELD.get(entry.type), game_of(entry.stream)
        if fields is None or game_id is None:
            return frozenset()
        if game_id not in self._open:
            self._open[game_id] = is_open(self._ledger, game_id)
        return fields if self._open[game_id] else frozenset()


def _event(entry: Entry, withheld: frozenset[str]) -> FeedEvent:
    return FeedEvent(
        position=entry.position,
        event_id=entry.event_id,
        stream=entry.stream,
        version=entry.version,
        type=entry.type,
        schema_version=entry.schema_version,
        recorded=show_time(entry.recorded_us),
        payload=_payload(entry, withheld),
        withheld=tuple(sorted(withheld)),
    )


def _payload(entry: Entry, withheld: frozenset[str]) -> Any:
    kind: Callable[[bytes], Any] = _fields if withheld else _as_stored
    try:
        found = kind(entry.payload)
    except DECODE_ERRORS as error:
        problem = f"position {entry.position}: {error}"
        raise UnreadableEventError(entry.type, entry.schema_version, problem) from error
    return {name: value for name, value in found.items() if name not in withheld} if withheld else found


def _as_stored(payload: bytes) -> Raw:
    return _decode_raw(payload)


def _fields(payload: bytes) -> dict[str, Any]:
    return _decode_fields(payload)
