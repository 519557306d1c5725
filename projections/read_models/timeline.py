"""What has become of the aliases, for people who want to see it at once: since when each has its version and
why, the newest moves and trainings, the newest decision, and the rounds of each of the last minutes.

All of it is bounded, so that a page shows it without reading the ledger.
"""

from typing import Literal

from msgspec import Struct, field

from ledger.entries import Entry
from ledger.events import (
    AliasChange,
    AliasesAssigned,
    AliasesPlanned,
    AliasPinned,
    AliasUnpinned,
    CycleDecided,
    GameFinished,
    RoundPlayed,
    TrainingCompleted,
)
from ledger.vocabulary import (
    FAMILIES,
    PLAYED_ALIASES,
    Alias,
    Cause,
    Decision,
    Family,
    PlayedAlias,
    ReasonCode,
    TrainingStatus,
)
from projections.projection import Projection, on
from projections.read_models.counting import is_evidence

LINES_KEPT = 60
MINUTES_KEPT = 60
MINUTE_US = 60_000_000
HOUR_US = 3_600_000_000
HOURS_OF_TRAFFIC = 24

LineKind = Literal["swap", "reorder", "training", "move", "pin", "unpin"]


class Decided(Struct, frozen=True):
    """A cycle's decision, and where it stands."""

    position: int
    recorded_us: int
    cycle: int
    decision: Decision
    reason_code: ReasonCode
    reason: str


class Since(Struct, frozen=True):
    """Since when, and why, a version is behind an alias.

    `decided` is the cycle that moved it, `actor` the operator, if either did.
    """

    version: int
    position: int
    recorded_us: int
    cause: Cause
    decided: Decided | None
    actor: str | None = None


class Line(Struct, frozen=True):
    """One line of the timeline: aliases that moved, a pin or its end, or a training run.

    `changes` has the aliases that did move; `decided_position` is that of the cycle behind them. `actor` and
    `reason` are an operator's; the end of a pin that has expired has neither.
    """

    position: int
    recorded_us: int
    family: Family
    kind: LineKind
    cause: Cause | None = None
    changes: tuple[AliasChange, ...] = ()
    decided_position: int | None = None
    status: TrainingStatus | None = None
    alias: Alias | None = None
    version: int | None = None
    actor: str | None = None
    reason: str | None = None


class FamilyTimeline(Struct):
    """One family: its aliases' versions with since when, the newest lines (newest last), the newest decision."""

    since: dict[str, Since] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    decided: Decided | None = None
    planned: Decided | None = None
    """The cycle behind the open plan: others go on while it awaits approval."""
    games: dict[int, dict[PlayedAlias, int]] = field(default_factory=dict)
    """Hour since the epoch -> finished games of each alias that are evidence, of the last hours, oldest first."""

    def games_since(self, time_us: int) -> dict[PlayedAlias, int]:
        """Games of each alias in the hours that begin after a time."""
        hours = [games for hour, games in self.games.items() if hour * HOUR_US > time_us]
        return {alias: sum(games[alias] for games in hours) for alias in PLAYED_ALIASES}


class Timeline(Struct):
    """Every family's timeline, and minute since the epoch -> rounds played in it, oldest first."""

    families: dict[str, FamilyTimeline] = field(
        default_factory=lambda: {family: FamilyTimeline() for family in FAMILIES}
    )
    rounds: dict[int, int] = field(default_factory=dict)

    def lines(self, limit: int) -> list[Line]:
        """The newest lines of all families, newest first."""
        found = [line for family in self.families.values() for line in family.lines]
        return sorted(found, key=lambda line: -line.position)[:limit]

    def rounds_between(self, after_minute: int, through_minute: int) -> int:
        """Rounds played in minutes above the first and up to the second."""
        return sum(rounds for minute, rounds in self.rounds.items() if after_minute < minute <= through_minute)


def _round_played(state: Timeline, _event: RoundPlayed, entry: Entry) -> None:
    minute = entry.recorded_us // MINUTE_US
    if minute in state.rounds:
        state.rounds[minute] += 1
        return
    state.rounds[minute] = 1
    for old in [one for one in state.rounds if one <= minute - MINUTES_KEPT]:
        del state.rounds[old]


def _game_finished(state: Timeline, event: GameFinished, entry: Entry) -> None:
    family = state.families.get(event.model_type)
    if family is None or event.alias is None or not is_evidence(event):
        return
    hour = entry.recorded_us // HOUR_US
    if hour not in family.games:
        family.games[hour] = dict.fromkeys(PLAYED_ALIASES, 0)
        for old in [one for one in family.games if one < hour - HOURS_OF_TRAFFIC]:
            del family.games[old]
    family.games[hour][event.alias] += 1


def _cycle_decided(state: Timeline, event: CycleDecided, entry: Entry) -> None:
    state.families[event.model_type].decided = Decided(
        position=entry.position,
        recorded_us=entry.recorded_us,
        cycle=event.cycle,
        decision=event.decision,
        reason_code=event.reason_code,
        reason=event.reason,
    )


def _aliases_planned(state: Timeline, event: AliasesPlanned, _entry: Entry) -> None:
    family = state.families[event.model_type]
    family.planned = family.decided if event.cycle is not None else None


def _aliases_assigned(state: Timeline, event: AliasesAssigned, entry: Entry) -> None:
    family = state.families[event.model_type]
    changed = tuple(change for change in event.assignments if change.before != change.after)
    cycles = [one for one in (family.decided, family.planned) if one and one.cycle == event.cycle]
    decided = cycles[0] if cycles else None
    family.planned = None
    for change in changed:
        family.since[change.alias] = Since(
            change.after, entry.position, entry.recorded_us, event.cause, decided, event.actor
        )
    if not changed:
        return  # a plan was cancelled, or a registry was found as it was
    _add(
        family,
        Line(
            position=entry.position,
            recorded_us=entry.recorded_us,
            family=event.model_type,
            kind="swap" if event.swapped else "reorder" if event.reordered else "move",
            cause=event.cause,
            changes=changed,
            decided_position=decided.position if decided else None,
            actor=event.actor,
            reason=event.reason,
        ),
    )


def _pin_changed(state: Timeline, event: AliasPinned | AliasUnpinned, entry: Entry) -> None:
    _add(
        state.families[event.model_type],
        Line(
            position=entry.position,
            recorded_us=entry.recorded_us,
            family=event.model_type,
            kind="pin" if isinstance(event, AliasPinned) else "unpin",
            alias=event.alias,
            version=event.version,
            actor=event.actor,
            reason=event.reason,
        ),
    )


def _training_completed(state: Timeline, event: TrainingCompleted, entry: Entry) -> None:
    _add(
        state.families[event.model_type],
        Line(
            position=entry.position,
            recorded_us=entry.recorded_us,
            family=event.model_type,
            kind="training",
            status=event.status,
            version=event.model_version,
        ),
    )


def _add(family: FamilyTimeline, line: Line) -> None:
    family.lines.append(line)
    del family.lines[:-LINES_KEPT]


def projection() -> Projection[Timeline]:
    """The timeline."""
    handlers = (
        on(RoundPlayed, _round_played),
        on(GameFinished, _game_finished),
        on(CycleDecided, _cycle_decided),
        on(AliasesPlanned, _aliases_planned),
        on(AliasesAssigned, _aliases_assigned),
        on(AliasPinned, _pin_changed),
        on(AliasUnpinned, _pin_changed),
        on(TrainingCompleted, _training_completed),
    )
    return Projection("timeline", 4, Timeline, handlers)
