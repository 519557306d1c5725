"""One promotion cycle in full, for a person."""

from collections.abc import Iterator
from typing import Any

from ledger.evidence import Arm
from ledger.times import show_time
from projections.audit.decisions import Checked
from projections.audit.replay import flatten, plain
from projections.commands.console import bad, good, print_table, say, share
from projections.commands.looks import print_look


def print_decision(one: Checked) -> None:
    """What was decided and why, what it rests on, and whether it comes out again."""
    event = one.event
    decided = f"cycle {event.cycle}, by {event.trigger} ({event.source}), {show_time(one.recorded_us)}"
    say(f"{event.model_type}, {decided}")
    say(f"{event.decision}: {event.reason}")
    print_table(f"Position {one.position:,}", ("what", "value"), list(_facts(one)))
    if event.evidence is not None:
        arms = (("Production", event.evidence.production), ("B", event.evidence.b))
        headings = ("side", "version", "wins", "games", "rate", "own wins", "own games")
        print_table("The games that it rests on", headings, [_arm(name, arm) for name, arm in arms])
    if event.statistics is not None:
        print_look(event.model_type, event.statistics, event.verdicts)
    if event.ranking:
        ranked = [(one.rank, one.alias, one.version, one.correct, one.predictions) for one in event.ranking]
        print_table("Challengers", ("rank", "alias", "version", "right", "predictions"), ranked)
    for mismatch in one.mismatches:
        say(bad(f"{mismatch.field}: recorded is {mismatch.recorded}, again it is {mismatch.recomputed}"))
    for note in one.notes:
        say(note)
    say(good("derived again, it agrees") if one.agrees else bad("derived again, it differs"))


def _facts(one: Checked) -> Iterator[tuple[str, Any]]:
    event = one.event
    yield from (("reason code", event.reason_code), ("z", event.z_statistic), ("p", event.p_value))
    yield from (("challengers reordered", event.reordered), ("cycle's time", _time(event.decided_us)))
    if event.evidence is not None:
        yield "counted after position", event.evidence.after_position
        yield "counted through position", event.evidence.through_position
    # Whatever a rule, its guards and the tickers hold, in a release to come too.
    for name, part in (("rule", event.rule), ("tickers", event.tickers), ("guards saw", event.watched)):
        flat = flatten(plain(part)).items()
        yield from ((f"{name}: {path}", value) for path, value in flat if value is not None)


def _time(time_us: int | None) -> str | None:
    return None if time_us is None else show_time(time_us)


def _arm(name: str, arm: Arm) -> tuple[Any, ...]:
    window, own = arm.window, arm.own
    rate = share(window.wins / window.games if window.games else None)
    return name, arm.version, window.wins, window.games, rate, own.wins, own.games
