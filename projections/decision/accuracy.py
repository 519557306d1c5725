"""Whether a version predicts a player as it did in training, by hits: for the gauge and for `rps capture`."""

from typing import Final

from ledger.events import Hits
from ledger.evidence import Tally
from projections.decision.intervals import newcombe

CONFIDENCE: Final = 0.999
TOLERANCE: Final = 0.05
"""How far the two accuracies may surely be apart, as in the alert on drift: what is beyond is a finding."""


def differs(live: Hits, held_out: Hits) -> bool:
    """Whether live and held-out accuracy differ by more than chance and the tolerance explain."""
    one, other = (Tally(games=hits.rows, wins=hits.correct) for hits in (live, held_out))
    interval = newcombe(one, other, CONFIDENCE)
    return interval is not None and (interval.lower > TOLERANCE or interval.upper < -TOLERANCE)
