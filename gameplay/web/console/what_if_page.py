"""/what-if: the same events under another rule. All that was asked for is in the address."""

from typing import Any, get_args

from msgspec import Struct, structs
from starlette.requests import Request
from starlette.responses import Response

from gameplay.refusals import Refusal
from gameplay.serving.service import Service
from gameplay.web.console.as_of import AsOf, look_through
from gameplay.web.console.family_cards import Rate, rate
from gameplay.web.console.pages import respond
from gameplay.web.queries import choice, choices, one, whole
from gameplay.web.state import lanes_of, service_of
from ledger.chain import GENESIS
from ledger.entries import Head
from ledger.errors import InvalidTextError
from ledger.events import CycleDecided
from ledger.evidence import Evidence
from ledger.numbers import parse_alpha
from ledger.times import show_time
from ledger.vocabulary import FAMILIES, CountedPlayers, Decision, EvidenceWindow, Family
from projections.audit import what_if as counterfactual
from projections.audit.counterfactual import Change
from projections.audit.histories import Cycle, Histories, Period
from projections.decision.rules import KNOWN_RULES

CYCLES_SHOWN = 100
COUNT_MAX = 1_000_000
EVIDENCE: tuple[EvidenceWindow, ...] = get_args(EvidenceWindow)
PLAYERS: tuple[CountedPlayers, ...] = get_args(CountedPlayers)


class Said(Struct, frozen=True, kw_only=True):
    """What a cycle decided in one history, and from which games."""

    decision: Decision
    reordered: bool
    p_value: float | None
    production: Rate | None
    b: Rate | None


class CycleBoth(Struct, frozen=True, kw_only=True):
    """A cycle that would have gone otherwise. `exact`: no game is missing for it."""

    position: int
    recorded: str
    actual: Said
    other: Said
    exact: bool


class Swapped(Struct, frozen=True, kw_only=True):
    """A swap: from here on these versions were behind Production and B."""

    position: int
    recorded: str
    production: int
    b: int


class Side(Struct, frozen=True, kw_only=True):
    """One history: its swaps, and the share of time with the better of its two versions as Production."""

    swaps: tuple[Swapped, ...]
    better_share: float | None
    level_share: float | None


class Outcome(Struct, frozen=True, kw_only=True):
    """One family under both rules. From `exact_until` on games are missing, and the answer is a guess."""

    family: str
    cycles: int
    differing: int
    actual: Side
    other: Side
    parted_position: int | None
    exact_until: int | None
    unused_games: int
    otherwise: tuple[CycleBoth, ...]


class WhatIfPage(Struct, frozen=True, kw_only=True):
    """The rule that was asked for (null: as it was), and what would have followed; empty without a question."""

    as_of: AsOf
    change: dict[str, Any]
    families: tuple[Family, ...]
    outcomes: tuple[Outcome, ...]


async def what_if(request: Request) -> Response:
    """GET /what-if. Raises TooMany while another recount is under way."""
    change, families = _change(request), choices(request, "model_type", FAMILIES)
    as_of = await look_through(request, _only_look)
    outcomes: tuple[Outcome, ...] = ()
    if any(value is not None for value in structs.astuple(change)):
        service = service_of(request)
        outcomes = await lanes_of(request).recounts(_outcomes, service, as_of, change, families or FAMILIES)
    page = WhatIfPage(as_of=as_of, change=structs.asdict(change), families=families, outcomes=outcomes)
    return respond(request, "what_if.html", page)


def _only_look(_service: Service, as_of: AsOf) -> AsOf:
    return as_of


def _change(request: Request) -> Change:
    return Change(
        name=choice(request, "rule", KNOWN_RULES),
        alpha=_alpha(request),
        minimum_games=_count(request, "minimum_games"),
        minimum_predictions=_count(request, "minimum_predictions"),
        settle_seconds=_count(request, "settle_seconds"),
        evidence=choice(request, "evidence", EVIDENCE),
        players=choice(request, "players", PLAYERS),
    )


def _alpha(request: Request) -> str | None:
    text = one(request, "alpha")
    if not text:
        return None
    try:
        parse_alpha(text)
    except InvalidTextError as error:
        raise Refusal(f"alpha={text!r}: {error}") from error
    return text


def _count(request: Request, name: str) -> int | None:
    return whole(request, name, 0, 1, COUNT_MAX) if one(request, name) else None


def _outcomes(service: Service, as_of: AsOf, change: Change, families: tuple[Family, ...]) -> tuple[Outcome, ...]:
    ledger = service.core.ledger
    entries = ledger.read(as_of.position - 1, limit=1) if as_of.position else []
    until = Head(as_of.position, GENESIS, entries[0].recorded_us if entries else 0)
    return tuple(map(_outcome, counterfactual.what_if(ledger, change, families, until=until)))


def _outcome(found: Histories) -> Outcome:
    differing = [cycle for cycle in found.cycles if cycle.differs]
    return Outcome(
        family=found.model_type,
        cycles=len(found.cycles),
        differing=len(differing),
        actual=_side(found, found.actual_periods, found.actual_swaps),
        other=_side(found, found.counterfactual_periods, found.counterfactual_swaps),
        parted_position=found.parted_position,
        exact_until=found.exact_until,
        unused_games=found.unused_games,
        otherwise=tuple(map(_both, differing[-CYCLES_SHOWN:][::-1])),
    )


def _side(found: Histories, periods: tuple[Period, ...], swaps: list[Period]) -> Side:
    time = found.time(periods)
    return Side(
        swaps=tuple(
            Swapped(
                position=swap.position,
                recorded=show_time(swap.recorded_us),
                production=swap.production,
                b=swap.b,
            )
            for swap in swaps
        ),
        better_share=time.better_seconds / time.whole_seconds if time.whole_seconds else None,
        level_share=time.level_seconds / time.whole_seconds if time.whole_seconds else None,
    )


def _both(cycle: Cycle) -> CycleBoth:
    return CycleBoth(
        position=cycle.position,
        recorded=show_time(cycle.recorded_us),
        actual=_said(cycle.actual),
        other=_said(cycle.counterfactual),
        exact=cycle.exact,
    )


def _said(decided: CycleDecided) -> Said:
    evidence: Evidence | None = decided.evidence
    return Said(
        decision=decided.decision,
        reordered=decided.reordered,
        p_value=decided.p_value,
        production=rate(evidence.production.window.wins, evidence.production.window.games) if evidence else None,
        b=rate(evidence.b.window.wins, evidence.b.window.games) if evidence else None,
    )
