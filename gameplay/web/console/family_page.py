"""/families/<family>: how its versions have done over time, and what each cycle saw."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from gameplay.refusals import NotFound
from gameplay.serving.service import Service
from gameplay.web.console.as_of import AsOf, Looked, look
from gameplay.web.console.family_cards import FamilyCard, Rate, family_card, rate
from gameplay.web.console.pages import respond
from gameplay.web.queries import whole
from ledger.vocabulary import FAMILIES, PLAYED_ALIASES, PLAYER_KINDS, Decision, Family
from projections.read_models.history import Query
from projections.read_models.history_row import decode_detail
from projections.read_models.records_by_player import PLAYERS, SinceSwap
from projections.schema import StoredRow

CYCLES = 200
CYCLES_MAX = 1_000


class CyclePoint(Struct, frozen=True, kw_only=True):
    """What one cycle saw. `e_log` is ln E; `accuracies` and `ranks` are by alias, as evaluated before any move.

    `trained` is beside the accuracies: what the version behind the alias has reached on its hold-out.

    `by_version` has the games of the two versions themselves, under whichever alias they played them.
    """

    position: int
    time_ms: int
    decision: Decision
    reordered: bool
    production: Rate
    b: Rate
    production_version: int | None
    b_version: int | None
    by_version: dict[str, Rate]
    z_statistic: float | None
    p_value: float | None
    alpha: float | None
    e_log: float | None
    accuracies: dict[str, float | None]
    trained: dict[str, float | None]
    ranks: dict[str, int]


class VersionShown(Struct, frozen=True, kw_only=True):
    """A version that is behind an alias, or has played since the swap: live against training."""

    version: int
    aliases: tuple[str, ...]
    wins: Rate
    predictions: Rate
    holdout_accuracy: float | None


class Against(Struct, frozen=True, kw_only=True):
    """The games of one kind of player since the swap."""

    player_kind: str
    production: Rate
    b: Rate


class Opponent(Struct, frozen=True, kw_only=True):
    """What versions did against a scripted player by its name, people (`human`) or other scripts (`script`)."""

    player: str
    versions: tuple[VersionShown, ...]


class FamilyPage(Struct, frozen=True, kw_only=True):
    """One family. `cycles` are the newest ones, oldest first."""

    as_of: AsOf
    card: FamilyCard
    cycles: tuple[CyclePoint, ...]
    versions: tuple[VersionShown, ...]
    by_player: tuple[Against, ...]
    by_opponent: tuple[Opponent, ...]


async def family(request: Request) -> Response:
    """GET /families/{family}."""
    asked = str(request.path_params["family"])
    found = next((one for one in FAMILIES if one == asked), None)
    if found is None:
        raise NotFound(f"there is no family {asked!r}; there are {', '.join(FAMILIES)}")
    limit = whole(request, "cycles", CYCLES, 1, CYCLES_MAX)
    return respond(request, "family.html", await look(request, partial(build, family=found, limit=limit)))


def build(_service: Service, looked: Looked, *, family: Family, limit: int) -> FamilyPage:
    """The family's page."""
    rows = looked.states.history.rows(Query(limit=limit, model_types=(family,)))
    versions = _versions(looked, family)
    trained = looked.states.standings.families[family].holdout_accuracies
    return FamilyPage(
        as_of=looked.as_of,
        card=family_card(looked, family),
        cycles=tuple(_point(row, trained) for row in reversed(rows)),
        versions=versions,
        by_player=_by_player(looked, family),
        by_opponent=_by_opponent(looked.states.records_by_player.families[family], versions),
    )


def _point(row: StoredRow, trained: Mapping[int, float]) -> CyclePoint:
    detail = decode_detail(row.detail)
    evidence, statistics = detail.evidence or {}, detail.statistics or {}
    return CyclePoint(
        position=row.id,
        time_ms=row.recorded_us // 1_000,
        decision=row.decision,  # type: ignore[arg-type]
        reordered=bool(row.reorder_applied),
        production=rate(row.production_wins or 0, row.production_total_games or 0),
        b=rate(row.b_wins or 0, row.b_total_games or 0),
        production_version=_version(evidence, "production"),
        b_version=_version(evidence, "b"),
        by_version=_by_version(evidence),
        z_statistic=row.z_statistic,
        p_value=row.p_value,
        alpha=None if row.alpha is None else float(row.alpha),
        e_log=statistics.get("log_e"),
        accuracies={one["alias"]: one.get("accuracy") for one in detail.alias_accuracies},
        trained={one["alias"]: trained.get(one.get("version") or 0) for one in detail.alias_accuracies},
        ranks={one["alias"]: one["rank"] for one in detail.alias_rankings},
    )


def _by_version(evidence: dict[str, Any]) -> dict[str, Rate]:
    """Version -> its own games in the decision's window."""
    arms = [evidence[side] for side in ("production", "b") if side in evidence]
    return {str(arm["version"]): rate(arm["own"]["wins"], arm["own"]["games"]) for arm in arms}


def _version(evidence: dict[str, Any], side: str) -> int | None:
    version: int | None = evidence.get(side, {}).get("version")
    return version


def _versions(looked: Looked, family: Family) -> tuple[VersionShown, ...]:
    promotion = looked.states.standings.families[family]
    behind: dict[int, list[str]] = {}
    for alias, version in promotion.aliases.items():
        behind.setdefault(version, []).append(alias)
    return tuple(
        VersionShown(
            version=version,
            aliases=tuple(behind.get(version, ())),
            wins=rate(promotion.record(version).wins, promotion.record(version).games),
            predictions=rate(promotion.record(version).correct, promotion.record(version).predictions),
            holdout_accuracy=promotion.holdout_accuracies.get(version),
        )
        for version in sorted(behind.keys() | promotion.records.keys(), reverse=True)
    )


def _by_player(looked: Looked, family: Family) -> tuple[Against, ...]:
    kinds = looked.states.tickers.windows[family].kinds

    def of(alias: str, kind: Any) -> Rate:
        tally = kinds[alias].get(kind)
        return rate(tally.wins, tally.games) if tally else rate(0, 0)

    production, b = PLAYED_ALIASES
    return tuple(
        Against(player_kind=kind, production=of(production, kind), b=of(b, kind)) for kind in PLAYER_KINDS
    )


def _by_opponent(since: SinceSwap, versions: tuple[VersionShown, ...]) -> tuple[Opponent, ...]:
    """Who has played since the swap, and what each version has shown against them."""

    def faced(player: str) -> tuple[VersionShown, ...]:
        met = [(one, since.versions[one.version].get(player)) for one in versions if one.version in since.versions]
        return tuple(
            replace(
                one,
                wins=rate(shown.wins, shown.games),
                predictions=rate(shown.correct, shown.predictions),
            )
            for one, shown in met
            if shown is not None
        )

    opponents = (Opponent(player=player, versions=faced(player)) for player in PLAYERS)
    return tuple(one for one in opponents if one.versions)
