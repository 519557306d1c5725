"""The shapes of answers that are put together where they are read; a test holds those answers to them."""

from typing import Any, Literal

import msgspec

from gameplay.promotion.operator.undo import Since
from ledger.events import (
    AliasesAssigned,
    AliasesPlanned,
    AliasPinned,
    AliasUnpinned,
    Assignment,
    PlanApproved,
    PlanRejected,
)
from ledger.vocabulary import Alias, Decision, Family, TrainingStatus
from projections.read_models.history_row import HistoryRow


class Problem(msgspec.Struct):
    """An error: what is wrong, and the request under whose id the log says more."""

    detail: str
    request_id: str


class Erased(msgspec.Struct):
    """Whether there was a name to erase."""

    success: bool
    erased: bool


class Announced(msgspec.Struct):
    """Whether an announcement of the registry is followed, and of which family it is."""

    accepted: bool
    model_type: Family | None


class FeedEvent(msgspec.Struct):
    """An event; `withheld` names the fields of its payload that are not shown while its game goes on."""

    position: int
    event_id: str
    stream: str
    version: int
    type: str
    schema_version: int
    recorded: str
    payload: dict[str, Any]
    withheld: list[str]


class Feed(msgspec.Struct):
    """Events in order; the next call asks `after=next_after`, and has all when that is the head."""

    events: list[FeedEvent]
    next_after: int
    head: int


class Root(msgspec.Struct):
    """What the service is."""

    service: str
    version: str
    links: dict[str, str]
    grafana_dashboard_url: str | None


class Health(msgspec.Struct):
    """Whether the process serves.

    `failing_jobs` says which jobs' newest runs failed, and why; `start_problem` what holds the start up.
    """

    ok: bool
    version: str
    uptime_seconds: float
    failing_jobs: dict[str, str]
    start_problem: str | None
    detail: str | msgspec.UnsetType = msgspec.UNSET


class Readiness(msgspec.Struct):
    """Whether players may be sent here, and what is missing."""

    ready: bool
    missing: list[str]
    registry_mismatches: dict[Family, str]


class ServedVersion(msgspec.Struct):
    """The version behind an alias."""

    version: int | None
    run_id: str | None
    loaded: bool
    source: str | None
    training_accuracy: float | None


class ServedFamily(msgspec.Struct):
    """A family's four aliases, and what keeps ledger and registry apart."""

    aliases: dict[Alias, ServedVersion]
    registry_mismatch: str | None


class Reloaded(msgspec.Struct):
    """What a reload has come to."""

    success: bool
    reloaded: list[str]
    failed: list[str]
    minio_synced: int
    minio_skipped: int
    minio_errors: list[str]
    registry_errors: list[str]
    message: str
    minio_removed: list[str] | msgspec.UnsetType = msgspec.UNSET


class StateSeen(msgspec.Struct, frozen=True):
    """What an order is for: a family's aliases and its last swap."""

    assignment: Assignment | None
    last_swap_position: int | None
    plan: int | None = None


class OrderTaken(msgspec.Struct):
    """What became of an operator's order, or with `dry_run` what would.

    `event` is what it was written down as, at `position`. `applied` says whether the aliases have been moved; null
    where the order moves none. `repeated`: it came under its key before. `since` has, of an undo's dry run, what
    was moved and trained after the swap that it takes back. `seen` has, of a dry run, the state that it was for.
    """

    model_type: Family
    dry_run: bool
    position: int | None
    event: AliasPinned | AliasUnpinned | AliasesPlanned | AliasesAssigned | PlanApproved | PlanRejected
    applied: bool | None
    repeated: bool
    since: Since | None
    seen: StateSeen | None


class ReportTaken(msgspec.Struct):
    """A report that was recorded; the tickers are the ledger's own."""

    success: bool
    event_id: int
    model_type: Family
    decision: Decision
    reorder_applied: bool
    reason: str
    production_games_since_swap: int
    b_games_since_swap: int
    promotion_cycles_since_swap: int
    tickers_differ: list[str]


Nested = list[dict[str, Any]] | msgspec.UnsetType
Found = dict[str, Any] | None | msgspec.UnsetType


class Row(HistoryRow, frozen=True, kw_only=True):
    """A promotion cycle; from `alias_rankings` on with `detail=1` alone."""

    alias_rankings: Nested = msgspec.UNSET
    alias_accuracies: Nested = msgspec.UNSET
    alias_assignments: Nested = msgspec.UNSET
    evidence: Found = msgspec.UNSET
    watched: Found = msgspec.UNSET
    windows: Found = msgspec.UNSET
    statistics: Found = msgspec.UNSET
    verdicts: Nested = msgspec.UNSET
    report: Found = msgspec.UNSET


class CycleRow(Row, frozen=True, kw_only=True):
    """A promotion cycle; one that was only tried has no position.

    Where other families have decided, one that could not has a row, too: its `problem`, and null in the rest.
    """

    id: int | None  # type: ignore[assignment]
    ts: str | None  # type: ignore[assignment]
    ts_ms: int | None  # type: ignore[assignment]
    created_ts_utc: str | None  # type: ignore[assignment]
    decision: str | None  # type: ignore[assignment]
    production_games_since_swap: int | None  # type: ignore[assignment]
    b_games_since_swap: int | None  # type: ignore[assignment]
    promotion_cycles_since_swap: int | None  # type: ignore[assignment]
    reorder_applied: bool | None  # type: ignore[assignment]
    reason_code: str | None  # type: ignore[assignment]
    reason: str | None  # type: ignore[assignment]
    source: str | None  # type: ignore[assignment]
    title: str | None  # type: ignore[assignment]
    text: str | None  # type: ignore[assignment]
    position: int | None  # type: ignore[assignment]
    problem: str | msgspec.UnsetType = msgspec.UNSET


class DecisionTotals(msgspec.Struct):
    """What the cycles of a period decided."""

    model: Family | Literal["ALL"]
    period_start: str
    period_end: str
    swap_production_b: int
    retain_production: int
    insufficient_data: int
    alias_reorder: int
    total_events: int


class TrainingTaken(msgspec.Struct):
    """A training report that was recorded, and the version that it is about."""

    success: bool
    model_type: Family
    status: TrainingStatus
    duration_seconds: float | None
    alias: Alias | None
    source: str | None
    accuracy: float | None
    model_version: int | None


class GrafanaRoot(msgspec.Struct):
    """The data source is there."""

    ok: bool
    metrics: list[str]


class GrafanaOption(msgspec.Struct):
    """A value of a form field."""

    label: str
    value: str


class GrafanaMetric(msgspec.Struct):
    """What a panel can show, and the fields of its form."""

    label: str
    value: str
    payloads: list[dict[str, Any]]


class FrameField(msgspec.Struct):
    """A column of a frame."""

    name: str
    type: str
    values: list[Any]


class Frame(msgspec.Struct):
    """A data frame, as Grafana's simPod data source takes it."""

    refId: str  # noqa: N815 - Grafana's word
    name: str
    fields: list[FrameField]


class VariableValue(msgspec.Struct):
    """A value of a dashboard's variable."""

    text: str = msgspec.field(name="__text")
    value: str = msgspec.field(name="__value")
