"""What may hold a swap back, whatever the rule says. A guard never makes a swap."""

import math
from collections.abc import Callable
from typing import Final

from ledger.evidence import (
    Guards,
    ParityFound,
    Rule,
    Split,
    Watched,
)
from ledger.vocabulary import ReasonCode
from projections.decision.rules import Verdict
from projections.decision.sample_ratio import CONCENTRATION, E_MISMATCH, P_MISMATCH, log_mismatch_e
from projections.read_models.tickers import Window

SECOND_US: Final = 1_000_000


def watch(window: Window, decided_us: int, b_parity: ParityFound | None) -> Watched:
    """What the guards look at: the time since the last swap, and the parity of the version behind B."""
    since_us = window.last_swap_us
    production, b = (
        (window.scores[alias].games + window.fallbacks[alias], window.fallbacks[alias])
        for alias in ("Production", "B")
    )
    return Watched(
        splits=tuple(
            Split(b_share=share, production=games["Production"], b=games["B"])
            for share, games in sorted(window.splits.items())
        ),
        production_finished=production[0],
        production_fallbacks=production[1],
        b_finished=b[0],
        b_fallbacks=b[1],
        cycles=window.cycles,
        seconds=None if since_us is None else max(decided_us - since_us, 0) // SECOND_US,
        b_parity=b_parity,
    )


def guarded(verdict: Verdict, rule: Rule, watched: Watched) -> Verdict:
    """The verdict itself, or Production retained where a guard holds the swap back."""
    if verdict.decision != "swap_production_b" or rule.guards is None:
        return verdict
    for reason_code, guard in _GUARDS.items():
        if reason := guard(rule.guards, watched):
            held = f"{verdict.reason} Held back: {reason}."
            return verdict._replace(decision="retain_production", reason_code=reason_code, reason=held)
    return verdict


def _sample_ratio(guards: Guards, watched: Watched) -> str | None:
    """Games assigned, and games finished, against the split that was meant; a gap between them is quitting."""
    if not guards.sample_ratio:
        return None
    assigned = [split for split in watched.splits if 0 < split.b_share < 1]
    if problem := _mismatch("assigned", assigned):
        return problem
    if len(assigned) != 1:
        return None  # which of two splits a finished game was assigned under is not kept
    b, production = watched.b_finished, watched.production_finished
    return _mismatch("finished", [Split(b_share=assigned[0].b_share, b=b, production=production)])


def _mismatch(what: str, splits: list[Split]) -> str | None:
    expected = sum(split.b_share * (split.b + split.production) for split in splits)
    variance = sum(split.b_share * (1 - split.b_share) * (split.b + split.production) for split in splits)
    if not variance:
        return None
    b, games = sum(split.b for split in splits), sum(split.b + split.production for split in splits)
    p_value = math.erfc(abs(b - expected) / math.sqrt(2 * variance))
    # Tosses under another split are other tosses: what E gains on each multiplies.
    log_e = sum(log_mismatch_e(one.b, one.production, CONCENTRATION, one.b_share) for one in splits)
    if p_value >= P_MISMATCH and log_e < math.log(E_MISMATCH):
        return None
    return f"B had {b} of {games} games {what}, where {expected:.1f} were meant (p = {p_value:.1e})"


def _cooldown(guards: Guards, watched: Watched) -> str | None:
    if watched.seconds is None:
        return None
    if watched.cycles < guards.cooldown_cycles:
        return f"{watched.cycles} cycles since the last swap, of {guards.cooldown_cycles}"
    if watched.seconds < guards.cooldown_seconds:
        return f"{watched.seconds} s since the last swap, of {guards.cooldown_seconds}"
    return None


def _fallbacks(guards: Guards, watched: Watched) -> str | None:
    most = guards.fallback_share_max
    if most is None:
        return None
    sides = {
        "Production": (watched.production_fallbacks, watched.production_finished),
        "B": (watched.b_fallbacks, watched.b_finished),
    }
    for side, (fallbacks, finished) in sides.items():
        if fallbacks > most * finished:
            return f"a fallback chose a move in {fallbacks} of {finished} games of {side}, a share above {most:g}"
    return None


def _parity(guards: Guards, watched: Watched) -> str | None:
    """A version that does not give what was served must not be promoted on the games that were served.

    What was never checked is held to be sound, as the guard is there to stop on a finding, not on a lack of one.
    """
    found = watched.b_parity
    if not guards.parity or found is None or not found.differences:
        return None
    differences = f"{found.differences} difference{'' if found.differences == 1 else 's'}"
    where = f"the parity check of B's version at position {found.position}"
    return f"{where} found {differences} in {found.rounds} rounds"


_GUARDS: Final[dict[ReasonCode, Callable[[Guards, Watched], str | None]]] = {
    "sample_ratio_mismatch": _sample_ratio,
    "cooling_down": _cooldown,
    "too_many_fallbacks": _fallbacks,
    "parity_failed": _parity,
}
