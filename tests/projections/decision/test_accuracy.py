import pytest

from gameplay.models.artifacts import Score
from gameplay.models.intervals import difference
from gameplay.parity.comparison import AccuracyComparison
from ledger.events import Hits
from projections.decision.accuracy import CONFIDENCE, differs

HELD_OUT = Hits(correct=900, rows=1_000)


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (Hits(correct=360, rows=400), False),
        (Hits(correct=340, rows=400), False),  # five points, and chance
        (Hits(correct=280, rows=400), True),
        (Hits(correct=14, rows=20), False),  # twenty points of so few rounds
        (Hits(correct=400, rows=400), True),  # better than in training is another accuracy, too
        (Hits(correct=0, rows=0), False),
    ],
)
def test_accuracies_differ_beyond_chance_and_five_points(live: Hits, expected: bool) -> None:
    assert differs(live, HELD_OUT) == expected


@pytest.mark.parametrize("correct", range(0, 401, 20))
def test_the_gauge_and_the_command_judge_alike(correct: int) -> None:
    live, held_out = Score(correct, 400), Score(600, 1_000)
    interval = difference(live, held_out, CONFIDENCE)
    compared = AccuracyComparison("xgboost", 1, "cal", live, held_out, "rehearsal", interval)

    assert differs(Hits(correct=correct, rows=400), Hits(correct=600, rows=1_000)) == compared.is_finding
