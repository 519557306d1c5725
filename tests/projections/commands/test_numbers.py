import click
import pytest

from projections.commands.numbers import AlphaType, DecimalType, DurationType, WholeType
from tests.command_lines import RPS, RPS_AUDIT
from tests.numbers import NO_NUMBERS

KINDS = (WholeType(0), DecimalType(0), AlphaType(), DurationType(600, ""))


@pytest.mark.parametrize("text", NO_NUMBERS, ids=lambda text: repr(text[:12]))
@pytest.mark.parametrize(
    "kind",
    [WholeType(0), DecimalType(0), AlphaType(), DurationType(600, "")],
    ids=lambda kind: type(kind).__name__,
)
def test_what_is_not_written_in_digits_is_no_number(kind: click.ParamType[object], text: str) -> None:
    with pytest.raises(click.BadParameter):
        kind.convert(text, None, None)


def test_numbers_are_taken_within_their_limits() -> None:
    assert WholeType(1, 10).convert("+10", None, None) == 10
    assert DecimalType(0, 1).convert("0.25", None, None) == 0.25
    assert AlphaType().convert("0.050", None, None) == "0.050"
    durations = [DurationType(7_200, "").convert(text, None, None) for text in ("60", "60s", "2m", "1h")]
    assert durations == [60, 60, 120, 3_600]


@pytest.mark.parametrize(
    ("kind", "text"),
    [(WholeType(1, 10), "11"), (WholeType(1), "0"), (DecimalType(0), "-0.1"), (DecimalType(0, 1), "2")],
)
def test_a_number_beyond_its_limits_is_refused(kind: click.ParamType[object], text: str) -> None:
    with pytest.raises(click.BadParameter):
        kind.convert(text, None, None)


@pytest.mark.parametrize("command", [*RPS.values(), *RPS_AUDIT.values()], ids=lambda command: command.name)
def test_no_option_reads_numbers_as_python_does(command: click.Command) -> None:
    kinds = (click.types.IntParamType, click.types.FloatParamType)

    assert [one.name for one in command.params if isinstance(one.type, kinds)] == []
