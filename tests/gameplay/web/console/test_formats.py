import pytest

from gameplay.web.console import formats


def test_numbers_have_units_and_signs() -> None:
    assert formats.whole(86394) == "86,394"
    assert formats.percent(0.508) == "50.8\u00a0%"
    assert formats.percents(0.441, 0.573) == "44.1\u201357.3\u00a0%"
    assert formats.points(0.085) == "+8.5\u00a0points"
    assert formats.points(-0.25) == "\u221225.0\u00a0points"
    assert formats.decimal(-1.5811) == "\u22121.581"


def test_a_small_p_is_not_written_as_zero() -> None:
    assert formats.p_value(0.0126) == "0.0126"
    assert formats.p_value(1e-9) == "< 0.0001"


@pytest.mark.parametrize(("log_e", "text"), [(0.0, "1"), (1.778, "5.92"), (400.0, "e^400.0")])
def test_e_is_written_whatever_its_size(log_e: float, text: str) -> None:
    assert formats.e_value(log_e) == text


@pytest.mark.parametrize("written", [formats.whole, formats.percent, formats.points, formats.decimal])
def test_nothing_is_a_dash(written: object) -> None:
    assert callable(written)
    assert written(None) == "\u2014"


def test_one_is_singular() -> None:
    assert formats.counted(1, "game") == "1\u00a0game"
    assert formats.counted(1_200, "game") == "1,200\u00a0games"
