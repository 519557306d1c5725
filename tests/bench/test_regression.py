from pathlib import Path

import pytest

from bench.process import ran_module
from bench.regression import ATTEMPTS_MAX, BEST_OF, CHECKS, Check, Sides, slip


@pytest.mark.parametrize("name", CHECKS)
def test_a_ratio_is_far_from_its_limit(name: str) -> None:
    # In a process of its own: a heap as large as that of the tests would be collected at our cost.
    assert ran_module("bench.regression", name).output.endswith("slipped: {}\n")


def test_a_slip_is_a_ratio_that_no_attempt_brings_below_the_limit(tmp_path: Path) -> None:
    check = Check(lambda _folder: Sides(lambda: 3.0, lambda: 1.0), limit=2.5)

    assert slip(check, tmp_path) == 3.0


def test_one_attempt_below_the_limit_is_no_slip(tmp_path: Path) -> None:
    spent = iter([3.0] * BEST_OF * (ATTEMPTS_MAX - 1) + [3.0] * (BEST_OF - 1) + [2.0])
    check = Check(lambda _folder: Sides(lambda: next(spent), lambda: 1.0), limit=2.5)

    assert slip(check, tmp_path) is None
