import random
from collections import Counter

import pytest

from gameplay.game.openings import OPENINGS, draw_opening
from ledger.vocabulary import MOVES


def test_openings_are_ten_different_patterns_when_listed() -> None:
    assert len(OPENINGS) == 10
    assert len({opening.moves for opening in OPENINGS.values()}) == 10
    assert all(name == opening.name for name, opening in OPENINGS.items())
    assert all(len(opening.moves) == 3 and opening.weight > 0 for opening in OPENINGS.values())
    assert all(set(opening.moves) <= set(MOVES) for opening in OPENINGS.values())


@pytest.mark.parametrize("place", [0, 1, 2])
def test_openings_favour_no_move_when_weighed(place: int) -> None:
    weights = Counter[str]()
    for opening in OPENINGS.values():
        weights[opening.moves[place]] += opening.weight

    assert weights.total() == 100
    assert all(32 <= weights[move] <= 36 for move in MOVES)


def test_draw_opening_follows_the_weights_when_drawn_often() -> None:
    rng = random.Random(7)

    drawn = Counter(draw_opening(rng).name for _ in range(10_000))

    for opening in OPENINGS.values():
        assert drawn[opening.name] / 10_000 == pytest.approx(opening.weight / 100, abs=0.015)


def test_draw_opening_repeats_itself_when_the_generator_does() -> None:
    assert [draw_opening(random.Random(3)) for _ in range(5)] == [draw_opening(random.Random(3))] * 5
