from pathlib import Path

import pytest

from projections.commands import columns, console
from tests.projections.terminal import ask

WHAT_IF = "what-if --alpha 0.05"
ONE = "decisions --position 1588"


@pytest.mark.parametrize(
    ("words", "width", "headings"),
    [
        (WHAT_IF, 120, "position recorded family decided otherwise Production B p exact"),
        (WHAT_IF, 100, "position recorded family decided otherwise p exact"),
        (WHAT_IF, 80, "position family decided otherwise p exact"),
        (
            "decisions --limit 3",
            160,
            "position recorded family by Production B z p p so far E decision otherwise again",
        ),
        ("decisions --limit 3", 120, "position recorded family Production B p E decision otherwise again"),
        ("decisions --limit 3", 112, "position recorded family Production B p decision otherwise again"),
        ("decisions --limit 3", 100, "position recorded family Production B p decision again"),
        ("decisions --limit 3", 70, "position family p decision again"),
        (
            ONE,
            150,
            "family B ahead by 90 % interval at every look exact p few E anytime p lead missing games needed"
            " ztest/1 anytime-sign/1",
        ),
        (ONE, 115, "family B ahead by 90 % interval E anytime p lead missing games needed ztest/1 anytime-sign/1"),
        (ONE, 80, "family B ahead by E games needed ztest/1 anytime-sign/1"),
    ],
)
def test_a_narrow_table_has_the_columns_that_matter_most(
    example: Path, monkeypatch: pytest.MonkeyPatch, words: str, width: int, headings: str
) -> None:
    for room in (columns, console):
        monkeypatch.setattr(room, "PIPE_COLUMNS", width)

    lines = [" ".join(line.split()) for line in ask(example, *words.split()).output.splitlines()]

    assert headings in lines
