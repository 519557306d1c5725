"""/events/<position>: an event as it is stored, with its neighbours in the chain and on its stream."""

from functools import partial
from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from gameplay.refusals import NotFound
from gameplay.serving.service import Service
from gameplay.web.console.as_of import AsOf, look_through
from gameplay.web.console.pages import respond
from gameplay.web.console.withheld import game_of, withheld_of
from ledger.chain import GENESIS
from ledger.codec import DECODE_ERRORS
from ledger.entries import Entry
from ledger.errors import UnreadableEventError
from ledger.events import CycleDecided, wire_name
from ledger.numbers import parse_whole
from ledger.sealing.seals import seal_over
from ledger.store import Ledger
from ledger.times import show_time
from projections.audit.summaries import summary

DECISION = wire_name(CycleDecided)


class Neighbour(Struct, frozen=True, kw_only=True):
    """An event beside this one."""

    position: int
    type: str
    stream: str
    summary: str


class EventPage(Struct, frozen=True, kw_only=True):
    """One entry of the ledger.

    `withheld` names fields of its payload that are not shown while the game goes on; then the hashes are null too.
    `sealed_at` is the size of the first signed checkpoint that covers it.
    """

    as_of: AsOf
    position: int
    event_id: str
    stream: str
    version: int
    type: str
    schema_version: int
    recorded: str
    summary: str
    payload: Any
    withheld: tuple[str, ...]
    previous_hash: str | None
    chain_hash: str | None
    sealed_at: int | None
    game_id: str | None
    is_decision: bool
    before: Neighbour | None
    after: Neighbour | None
    before_on_stream: int | None
    after_on_stream: int | None


async def event(request: Request) -> Response:
    """GET /events/{position}."""
    position = position_of(request)
    return respond(request, "event.html", await look_through(request, partial(build, position=position)))


def position_of(request: Request) -> int:
    """The position that the path names. Raises NotFound."""
    text = str(request.path_params["position"])
    try:
        return parse_whole(text)
    except ValueError as error:
        raise NotFound(f"{text!r} is no position of the ledger") from error


def entry_at(ledger: Ledger, as_of: AsOf, position: int) -> Entry:
    """The entry at a position. Raises NotFound for one that does not exist, or not yet where a page looks back."""
    found = ledger.read(position - 1, limit=1) if 1 <= position <= as_of.position else []
    if not found:
        raise NotFound(f"there is no event {position}: the ledger has positions 1 to {as_of.position}")
    return found[0]


def build(service: Service, as_of: AsOf, *, position: int) -> EventPage:
    """The event at a position. Raises NotFound."""
    ledger = service.core.ledger
    entry = entry_at(ledger, as_of, position)
    around = ledger.read(max(position - 2, 0), limit=3, through=as_of.position)
    before = next((one for one in around if one.position == position - 1), None)
    after = next((one for one in around if one.position == position + 1), None)
    withheld = withheld_of(ledger, entry.stream, entry.type)
    previous = before.chain_hash if before else GENESIS
    seal = seal_over(ledger, position)
    return EventPage(
        as_of=as_of,
        position=position,
        event_id=entry.event_id,
        stream=entry.stream,
        version=entry.version,
        type=entry.type,
        schema_version=entry.schema_version,
        recorded=show_time(entry.recorded_us),
        summary=_summary(ledger, entry, withheld),
        payload=_payload(entry, withheld),
        withheld=tuple(sorted(withheld)),
        previous_hash=None if withheld else previous.hex(),
        chain_hash=None if withheld else entry.chain_hash.hex(),
        sealed_at=seal.size if seal else None,
        game_id=game_of(entry.stream),
        is_decision=entry.type == DECISION,
        before=_neighbour(ledger, before),
        after=_neighbour(ledger, after),
        before_on_stream=_on_stream(ledger, entry, entry.version - 1),
        after_on_stream=_on_stream(ledger, entry, entry.version + 1, as_of.position),
    )


def _payload(entry: Entry, withheld: frozenset[str]) -> Any:
    try:
        payload = msgspec.json.decode(entry.payload)
    except DECODE_ERRORS:
        return None if withheld else entry.payload.decode(errors="replace")
    if isinstance(payload, dict):
        return {name: value for name, value in payload.items() if name not in withheld}
    return None if withheld else payload


def _summary(ledger: Ledger, entry: Entry, withheld: frozenset[str]) -> str:
    if "predicted" in withheld:
        return "a prediction, which is shown when its game has ended"
    try:
        return summary(ledger.decode(entry))
    except UnreadableEventError as error:
        return error.problem


def _neighbour(ledger: Ledger, entry: Entry | None) -> Neighbour | None:
    if entry is None:
        return None
    withheld = withheld_of(ledger, entry.stream, entry.type)
    text = _summary(ledger, entry, withheld)
    return Neighbour(position=entry.position, type=entry.type, stream=entry.stream, summary=text)


def _on_stream(ledger: Ledger, entry: Entry, version: int, through: int | None = None) -> int | None:
    if version < 1:
        return None
    found = ledger.read_stream(entry.stream, version - 1, version)
    return found[0].position if found and (through is None or found[0].position <= through) else None
