from pathlib import Path

import pytest

from tests.mutants.drawing import Mutant, draw, mutant_of, mutations

SOURCE = '''
import math

LIMIT = 3


class Box:
    """A box."""

    def fits(self, size):
        """Whether it fits."""
        if size > self.size:
            raise ValueError("it does not fit", size)
        return size


def area(side):
    message = "a square of " "one side"
    return side * side, message, f"{side + 1} wide"
'''


def mutants(source: str = SOURCE) -> list[Mutant]:
    module, found = mutations(source, "ledger/box.py")
    return [mutant_of("ledger/box.py", module, one) for one in found]


def changes(source: str = SOURCE) -> set[tuple[str, str, str]]:
    return {(one.function, one.before, one.after) for one in mutants(source)}


@pytest.mark.parametrize(
    ("function", "before", "after"),
    [
        ("Box.fits", "if size > self.size:", "if size >= self.size:"),
        ("area", "message", "side / side"),
    ],
)
def test_a_function_is_changed_by_its_operators(function: str, before: str, after: str) -> None:
    assert any(one[0] == function and before in one[1] and after in one[2] for one in changes())


def test_text_for_people_is_left_alone_and_what_is_computed_in_it_is_not() -> None:
    texts = {after for _, _, after in changes()}

    assert not any("XX" in text or "DOES" in text or "A SQUARE" in text for text in texts)
    assert not any(
        "ValueError(None" in text or "ValueError(size" in text or "message = None" in text for text in texts
    )
    assert any("{side - 1} wide" in text for text in texts)
    assert any('ValueError("it does not fit", None)' in text for text in texts)


def test_a_constant_of_the_module_is_left_alone() -> None:
    assert all(one.function in ("Box.fits", "area") for one in mutants())


def test_a_mutant_knows_where_its_function_begins() -> None:
    source = (
        "class A:\n    @staticmethod\n    def f(x):\n        return g(\n            x,\n            1\n        )\n"
    )
    (one,) = (one for one in mutants(source) if one.after == "2")

    assert (one.function, one.first_line, one.line, one.before) == ("A.f", 2, 6, "1")
    assert one.source == source.replace("1", "2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for package in ("ledger", "projections"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "box.py").write_text(SOURCE)
    return tmp_path


def test_a_smaller_draw_is_a_part_of_a_larger_one(folder: Path) -> None:
    few, many = draw(folder, 5, seed=1), draw(folder, 15, seed=1)

    assert len(set(few)) == 5
    assert set(few) < set(many)
    assert set(few) != set(draw(folder, 5, seed=2))


def test_an_edit_leaves_the_mutants_of_other_functions_in_the_draw(folder: Path) -> None:
    before = {one.name for one in draw(folder, 15, seed=1)}
    path = folder / "ledger" / "box.py"
    path.write_text(SOURCE.replace("return size", "return size + 1"))

    after = {one.name for one in draw(folder, 15, seed=1)}

    assert len(before & after) >= 12
