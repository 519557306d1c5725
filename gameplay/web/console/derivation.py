"""Deriving a decision again while one waits, and the file that proves its event."""

import time
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from gameplay.refusals import Conflict
from gameplay.serving.service import Service
from gameplay.web.console.as_of import AsOf, look_through
from gameplay.web.console.decision_page import decision_at
from gameplay.web.console.event_page import position_of
from gameplay.web.console.pages import respond
from gameplay.web.state import lanes_of, service_of
from ledger.sealing.checkpoints import CheckpointError
from ledger.sealing.keys import KeyFileError, Verifier, public_path, read_verifier
from ledger.sealing.proofs import ProofError, encode_proof, make_proof
from ledger.sealing.seals import seal_over
from ledger.vocabulary import Family
from projections.audit.decisions import check_decision

PROBLEMS_SHOWN = 20


class Differs(Struct, frozen=True, kw_only=True):
    """A field that comes out otherwise."""

    field: str
    recorded: Any
    derived: Any


class Derived(Struct, frozen=True, kw_only=True):
    """A decision beside what the raw events give. `problems` are games whose end is not what their rounds say."""

    as_of: AsOf
    position: int
    family: Family
    cycle: int
    agrees: bool
    differences: tuple[Differs, ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]
    entries: int
    seconds: float


async def derive(request: Request) -> Response:
    """POST /decisions/{position}/derive: recount from raw events, decide again, compare field by field.

    Raises TooMany while another recount is under way.
    """
    position, service = position_of(request), service_of(request)
    as_of = await look_through(request, lambda service, as_of: _existing(service, as_of, position))
    derived = await lanes_of(request).recounts(_derive, service, as_of, position)
    return respond(request, "derived.html", derived)


def _existing(service: Service, as_of: AsOf, position: int) -> AsOf:
    decision_at(service.core.ledger, as_of, position)
    return as_of


def _derive(service: Service, as_of: AsOf, position: int) -> Derived:
    began, ledger = time.perf_counter(), service.core.ledger
    _, event = decision_at(ledger, as_of, position)
    checked, problems = check_decision(ledger, event.model_type, position)
    return Derived(
        as_of=as_of,
        position=position,
        family=event.model_type,
        cycle=event.cycle,
        agrees=checked.agrees and not problems,
        differences=tuple(
            Differs(field=one.field, recorded=one.recorded, derived=one.recomputed) for one in checked.mismatches
        ),
        notes=checked.notes,
        problems=tuple(f"game {one.game_id}: {one.problem}" for one in problems[:PROBLEMS_SHOWN]),
        entries=position,
        seconds=round(time.perf_counter() - began, 3),
    )


async def proof(request: Request) -> Response:
    """GET /decisions/{position}/proof: the file that `rps-audit verify-proof` checks.

    Raises Conflict for what is not sealed yet, and TooMany while another recount is under way.
    """
    position, service = position_of(request), service_of(request)
    await look_through(request, lambda service, as_of: _existing(service, as_of, position))
    content = await lanes_of(request).recounts(_prove, service, position)
    headers = {"Content-Disposition": f'attachment; filename="proof-{position}.json"', "Cache-Control": "no-store"}
    return Response(content, headers=headers, media_type="application/json")


def _prove(service: Service, position: int) -> bytes:
    ledger = service.core.ledger
    seal = seal_over(ledger, position)
    if seal is None:
        raise Conflict(f"position {position} is not sealed yet: the service seals what is a minute old")
    try:
        return encode_proof(make_proof(ledger, position, seal, _verifiers(service)))
    except (ProofError, CheckpointError) as error:
        raise Conflict(str(error)) from error


def _verifiers(service: Service) -> list[Verifier]:
    """The key that lies beside the ledger, if it does: a seal by another one is not handed out as a proof."""
    try:
        return [read_verifier(public_path(service.core.settings.seal_key))]
    except KeyFileError:
        return []
