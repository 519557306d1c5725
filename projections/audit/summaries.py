"""One line about an event, for people who read a log."""

from ledger.events import (
    AliasChange,
    AliasesAssigned,
    AliasesPlanned,
    AliasPinned,
    AliasUnpinned,
    ClockAccepted,
    CrossFamilySet,
    CycleDecided,
    Event,
    GameAbandoned,
    GameFinished,
    GameStarted,
    InferenceFellBack,
    LedgerAccepted,
    ModelsReloaded,
    ParityChecked,
    PlanApproved,
    PlanRejected,
    PredictionMade,
    RoundPlayed,
    RuleSet,
    TrainingCompleted,
)
from ledger.times import show_time


def summary(event: Event) -> str:
    """What happened, in a few words."""
    match event:
        case GameStarted():
            return f"{event.player_id} against {event.policy}{_served(event.alias, event.model_version)}"
        case RoundPlayed():
            score = f"{event.user_score_tenths / 10:g}:{event.bot_score_tenths / 10:g}"
            return f"round {event.round}: {event.user_move} against {event.bot_move}, {event.result}, {score}"
        case PredictionMade():
            outcome = "right" if event.correct else f"wrong, it was {event.actual}"
            return f"round {event.round}: {event.alias} v{event.model_version} said {event.predicted}, {outcome}"
        case InferenceFellBack():
            return f"round {event.round}: {event.alias} fell back, {event.reason}"
        case GameFinished():
            score = f"{event.user_score_tenths / 10:g}:{event.bot_score_tenths / 10:g}"
            return f"{event.winner} won {score} after {event.rounds} rounds"
        case GameAbandoned():
            return f"after {event.rounds} rounds, idle for {event.idle_seconds} s"
        case CycleDecided():
            return f"cycle {event.cycle}, {event.trigger}: {event.decision}, {event.reason_code}"
        case AliasesPlanned() | AliasesAssigned():
            return f"{_cause(event)}: {moves(event.assignments)}{_because(event.reason)}"
        case TrainingCompleted():
            version = f", v{event.model_version}" if event.model_version else ""
            return f"{event.status} for {event.alias}{version}"
        case ModelsReloaded():
            return f"{len(event.loaded)} loaded, {len(event.failed)} failed"
        case ParityChecked():
            return f"v{event.version}, {event.rounds} rounds of {event.player}'s: {event.differences} differences"
        case _:
            return _by_hand(event)


ByHand = (
    CrossFamilySet
    | RuleSet
    | AliasPinned
    | AliasUnpinned
    | PlanApproved
    | PlanRejected
    | LedgerAccepted
    | ClockAccepted
)


def _by_hand(event: ByHand) -> str:
    """What a person has ordered, by a command or by a setting."""
    if isinstance(event, PlanApproved | PlanRejected):
        return _of_plan(event)
    if isinstance(event, AliasPinned):
        until = f" until {show_time(event.expires_us)}" if event.expires_us is not None else ""
        return f"{event.alias} is held at v{event.version}{until}, by {event.actor}{_because(event.reason)}"
    if isinstance(event, AliasUnpinned):
        who = f"by {event.actor}{_because(event.reason)}" if event.actor else event.cause
        return f"{event.alias} is held at v{event.version} no more, {who}"
    if isinstance(event, RuleSet):
        return f"{event.rule.name}, alpha {event.rule.alpha}, set by {event.actor}"
    if isinstance(event, CrossFamilySet):
        who = f"by {event.actor}{_because(event.reason)}" if event.actor else "by the settings"
        return f"{event.share:.0%} of the games of {', '.join(event.players)}, set {who}"
    if isinstance(event, ClockAccepted):
        return f"the clock's {show_time(event.clock_us)} stands: {event.reason}"
    known = f", where position {event.known.position} was known" if event.known else ""
    return f"goes on after position {event.position}{known}: {event.reason}"


def _of_plan(event: PlanApproved | PlanRejected) -> str:
    """What has become of a plan that waited for an approval."""
    if isinstance(event, PlanApproved):
        return f"plan {event.plan} is approved by {event.actor}{_because(event.reason)}"
    if event.actor is None:
        return f"plan {event.plan} was not approved in time"
    return f"plan {event.plan} is rejected by {event.actor}{_because(event.reason)}"


def _served(alias: str | None, version: int | None) -> str:
    return f", {alias} v{version}" if alias else ""


def _cause(event: AliasesPlanned | AliasesAssigned) -> str:
    who = f" by {event.actor}" if event.actor else ""
    undone = f", undoing position {event.undoes}" if event.undoes else ""
    return f"{event.cause}{who}{undone}"


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""


def moves(assignments: tuple[AliasChange, ...]) -> str:
    """The aliases with their versions, and what has moved."""
    return ", ".join(
        f"{one.alias} v{one.after}"
        if one.before in (None, one.after)
        else f"{one.alias} v{one.before} -> v{one.after}"
        for one in assignments
    )
