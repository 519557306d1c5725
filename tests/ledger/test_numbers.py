from decimal import Decimal, InvalidOperation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidTextError
from ledger.numbers import parse_alpha, parse_decimal, parse_whole

NO_NUMBERS = [
    "", "-", "+", ".", "3.", "1_0", " 1", "1 ", "1\n", "1e3", "1E-3", "0x10", "inf", "nan", "--1", "+-1", "1,000",
    "1.2.3",     "\u0661\u0662",  # Arabic-Indic digits
    "\uff11\uff12",  # full-width digits
    "1\u00a0", "\u00b2", "9" * 101,
]  # fmt: skip


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_other_spellings_of_a_number_are_refused(text: str) -> None:
    for parse in (parse_whole, parse_decimal, parse_alpha):
        with pytest.raises(InvalidTextError, match="is not a"):
            parse(text)


@given(st.integers(-(10**50), 10**50))
def test_a_whole_number_is_read_back(number: int) -> None:
    assert parse_whole(str(number)) == number
    assert parse_decimal(str(number)) == number


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-(10**20), max_value=10**20))
def test_a_decimal_is_read_back_exactly(number: Decimal) -> None:
    assert parse_decimal(f"{number:f}") == number


@pytest.mark.parametrize("text", ["3.0", ".5", "0.5"])
def test_a_number_with_a_point_is_not_whole(text: str) -> None:
    with pytest.raises(InvalidTextError, match="not a whole number"):
        parse_whole(text)


@given(st.text("0123456789+-._, eE\u0661\uff12", max_size=6))
def test_a_number_is_one_of_few_texts_that_python_takes(text: str) -> None:
    plain = text.isascii() and not set(text) & set("_, eE") and not text.endswith(".")
    try:
        expected = Decimal(text) if plain else None
    except InvalidOperation:
        expected = None

    if expected is None:
        with pytest.raises(InvalidTextError):
            parse_decimal(text)
    else:
        assert parse_decimal(text) == expected


@pytest.mark.parametrize("text", ["0.20", ".05", "0.999999", "0.0000001"])
def test_an_alpha_lies_between_0_and_1(text: str) -> None:
    assert parse_alpha(text) == Decimal(text)


@pytest.mark.parametrize("text", ["0", "1", "-0.2", "1.0", "2", "0." + "0" * 90, "0." + "9" * 60, "1e-400"])
def test_what_is_no_alpha_is_refused(text: str) -> None:
    with pytest.raises(InvalidTextError, match="not a decimal between 0 and 1"):
        parse_alpha(text)
