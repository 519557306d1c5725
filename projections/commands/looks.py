"""What cycles looked at, for a table: every statistic, and what each rule says."""

import math
from collections.abc import Sequence
from typing import Any

from ledger.events import CycleDecided
from ledger.evidence import Interval, RuleVerdict, Side, Statistics
from ledger.vocabulary import PLAYER_KINDS, Family
from projections.commands.cells import DECISION_WORDS
from projections.commands.columns import print_fitting
from projections.decision.rules import KNOWN_RULES

_TITLE = "What the games say, and each rule"
_COLUMNS = (
    "family", "B ahead by", "90 % interval", "at every look", "exact p", "few", "E", "anytime p", "lead missing",
    "games needed", *KNOWN_RULES,
)  # fmt: skip
_WINDOW_COLUMNS = (
    "family", "window", "after", "Production", *PLAYER_KINDS, "B", *PLAYER_KINDS
)  # fmt: skip
_SPARE = (("at every look",), ("few",), ("exact p",), ("lead missing",), ("anytime p",), ("90 % interval",))


def print_looks(events: Sequence[CycleDecided]) -> None:
    """The statistics of cycles that recorded them; nothing where none did."""
    if rows := [
        _row(event.model_type, event.statistics, event.verdicts)
        for event in events
        if event.statistics is not None
    ]:
        print_fitting(_TITLE, _COLUMNS, rows, *_SPARE)


def print_windows(events: Sequence[CycleDecided]) -> None:
    """The games of either window, by the kind of player; nothing for cycles that did not record them."""
    rows = [
        (event.model_type, name, counted.after_position, *_side(counted.production), *_side(counted.b))
        for event in events
        if event.windows is not None
        for name, counted in (
            ("since the swap, mixed" if event.windows.mixed else "since the swap", event.windows.since_swap),
            ("version pair", event.windows.version_pair),
        )
    ]
    if rows:
        print_fitting("Games won of those played", _WINDOW_COLUMNS, rows, ("script",), ("bot",), ("after",))


def print_look(family: Family, statistics: Statistics, verdicts: Sequence[RuleVerdict]) -> None:
    """One look that no cycle made."""
    print_fitting(_TITLE, _COLUMNS, [_row(family, statistics, verdicts)], *_SPARE)


def e_value(statistics: Statistics | None) -> str | None:
    """E, rounded; its power of ten where it is large."""
    if statistics is None:
        return None
    log_e = statistics.log_e
    return f"{math.exp(log_e):,.2f}" if log_e < math.log(1e6) else f"10^{log_e / math.log(10):,.0f}"


def otherwise(event: CycleDecided) -> str | None:
    """The rules that would have decided otherwise than the cycle did, with their decision."""
    return (
        ", ".join(
            f"{verdict.rule}: {DECISION_WORDS[verdict.decision]}"
            for verdict in event.verdicts
            if verdict.decision != event.decision
        )
        or None
    )


def _row(family: Family, statistics: Statistics, verdicts: Sequence[RuleVerdict]) -> list[Any]:
    said = {verdict.rule: DECISION_WORDS[verdict.decision] for verdict in verdicts}
    return [
        family,
        None if statistics.difference is None else f"{statistics.difference:+.3f}",
        _interval(statistics.interval),
        _interval(statistics.sequence),
        statistics.exact_p,
        statistics.small_sample,
        e_value(statistics),
        math.exp(-statistics.log_e_max),
        statistics.lead_missing,
        statistics.games_needed,
        *(said.get(rule) for rule in KNOWN_RULES),
    ]


def _side(side: Side) -> tuple[str | None, ...]:
    """An alias's versions, and its games of each kind of player."""
    versions = ", ".join(f"v{version}" for version in side.versions) or None
    tallies = (getattr(side.games, kind) for kind in PLAYER_KINDS)
    return versions, *(f"{tally.wins}/{tally.games}" if tally.games else None for tally in tallies)


def _interval(interval: Interval | None) -> str | None:
    return None if interval is None else f"{interval.lower:+.3f} to {interval.upper:+.3f}"
