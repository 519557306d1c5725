"""The body of a promotion report, checked against the contract before anything is written."""

import time
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from gameplay.promotion.reports import Reported, body_digest
from gameplay.refusals import Invalid
from gameplay.web.bodies import Line, Prose, decode
from gameplay.web.numbers import QuotedNumbersDecoder
from gameplay.web.queries import parse_instant
from ledger.facts import Count, Share
from ledger.reported import Report, ReportedAccuracy, ReportedAssignment, ReportedRanking
from ledger.vocabulary import Decision, Family

CLOCK_SKEW_SECONDS = 5

# Far beyond what any games give, and far within what a panel can draw.
Statistic = Annotated[float, Meta(ge=-1e6, le=1e6)]

Reported_ = TypeVar("Reported_", bound=msgspec.Struct)


class Ranking(ReportedRanking, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """One challenger's place; fields that we do not know are ignored."""

    alias: Literal["B", "shadow1", "shadow2"]


class Accuracy(ReportedAccuracy, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """One alias's accuracy; fields that we do not know are ignored."""


class Assigned(ReportedAssignment, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """One alias's version; fields that we do not know are ignored."""


class ReportBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /internal/promotion/report`; null is as good as absent wherever a field is optional."""

    model_type: Family
    decision: Decision
    z_statistic: Statistic | None = None
    p_value: Share | None = None
    production_wins: Count | None = None
    production_total_games: Count | None = None
    b_wins: Count | None = None
    b_total_games: Count | None = None
    reorder_applied: bool | None = None
    alias_rankings: tuple[Ranking, ...] | None = None
    alias_accuracies: tuple[Accuracy, ...] | None = None
    alias_assignments: tuple[Assigned, ...] | None = None
    production_games_since_swap: Count | None = None
    b_games_since_swap: Count | None = None
    promotion_cycles_since_swap: Count | None = None
    reason: Prose | None = None
    source: Line | None = None
    created_ts_utc: Line | None = None


_decoder = QuotedNumbersDecoder(ReportBody)
_any_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def read_report(body: bytes) -> Reported:
    """The report that a body holds. Raises Refusal or Invalid, which say what is wrong."""
    given = decode(body, _decoder)
    _check_wins("production", given.production_wins, given.production_total_games)
    _check_wins("b", given.b_wins, given.b_total_games)
    rankings, accuracies = given.alias_rankings or (), given.alias_accuracies or ()
    assigned = given.alias_assignments or ()
    _check_once("alias_rankings", "alias", [one.alias for one in rankings])
    _check_once("alias_rankings", "rank", [one.rank for one in rankings])
    _check_once("alias_accuracies", "alias", [one.alias for one in accuracies])
    _check_once("alias_assignments", "alias", [one.alias for one in assigned])
    said = Report(
        # Unknown fields are ignored, but they too tell two bodies apart, so they must be JSON.
        body_sha256=body_digest(decode(body, _any_decoder)),
        production_wins=given.production_wins,
        production_total_games=given.production_total_games,
        b_wins=given.b_wins,
        b_total_games=given.b_total_games,
        production_games_since_swap=given.production_games_since_swap,
        b_games_since_swap=given.b_games_since_swap,
        promotion_cycles_since_swap=given.promotion_cycles_since_swap,
        alias_rankings=_plain(ReportedRanking, rankings),
        alias_accuracies=_plain(ReportedAccuracy, accuracies),
        alias_assignments=_plain(ReportedAssignment, assigned),
        created_us=_created_us(given.created_ts_utc),
    )
    return Reported(
        model_type=given.model_type,
        decision=given.decision,
        z_statistic=given.z_statistic,
        p_value=given.p_value,
        reorder_applied=bool(given.reorder_applied),
        reason=given.reason or "",
        source=given.source or "report",
        said=said,
    )


def _check_wins(side: str, wins: int | None, games: int | None) -> None:
    if wins is not None and (games is None or wins > games):
        raise Invalid(f"{side}_wins is {wins}, with {side}_total_games = {games}: no more wins than games")


def _check_once(field: str, what: str, values: list[object]) -> None:
    if len(set(values)) < len(values):
        raise Invalid(f"{field} names {what} {max(values, key=values.count)!r} twice")


def _created_us(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        created_us = parse_instant(text)
    except ValueError as error:
        raise Invalid(f"created_ts_utc={text!r} is no ISO 8601 time") from error
    if created_us > (time.time() + CLOCK_SKEW_SECONDS) * 1_000_000:
        raise Invalid(f"created_ts_utc={text} lies in the future")
    return created_us


def _plain(cls: type[Reported_], given: Iterable[msgspec.Struct]) -> tuple[Reported_, ...]:
    """The event's own structs, without the request's leniency."""
    return tuple(cls(**msgspec.structs.asdict(one)) for one in given)
