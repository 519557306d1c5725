"""What a table of `rps` shows is in its JSON, numbers as numbers, over a folder in which games were played."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gameplay.cli import rps

COMMANDS = (
    ("promote", "--dry-run"),
    ("promotion", "status"),
    ("promotion", "history"),
    ("models",),
    ("models", "--by-opponent"),
    ("capture", "--replay", "--games", "3"),
    ("cross-family",),
    ("doctor",),
    ("config",),
)
IN_OTHER_WORDS = {"yes", "no", "not", "comparable", "off", "true", "false"}
"""What a table says for true, false and null."""

as_number = re.compile(r"v?(-?[0-9][0-9,]*(?:\.[0-9]+)?)( %)?").fullmatch
words_in = re.compile(r"[A-Za-z_]{3,}").findall


def asked(folder: Path, *words: str) -> str:
    # Wide enough that no cell is broken, so that two blanks are between two cells and nowhere else.
    environment = {"RPS_DATA_DIR": str(folder), "COLUMNS": "2000"}
    result = CliRunner().invoke(rps, [*words], env=environment)
    assert result.exit_code in (0, 1), result.output
    return result.stdout


def leaves(value: Any) -> Iterator[Any]:
    match value:
        case dict():
            for name, inner in value.items():
                yield name
                yield from leaves(inner)
        case list():
            for inner in value:
                yield from leaves(inner)
        case _:
            yield value


def cells_in(text: str) -> list[str]:
    """The cells of every table, without titles, headings and rules."""
    rows: list[str] = []
    for line in text.splitlines():
        if line.strip() and set(line) <= set(" ─"):
            rows.pop()  # the headings stand above the rule
        elif line.startswith("  "):
            rows.append(line)
    cells = (cell.strip() for row in rows for cell in re.split(r" {2,}", row.strip()))
    return [cell for cell in cells if cell not in ("", "-")]


def is_among(number: str, percent: bool, numbers: list[float]) -> bool:
    shown = float(number.replace(",", ""))
    decimals = len(number.partition(".")[2])
    scale = 100 if percent else 1
    return any(abs(scale * one - shown) <= 0.51 * 10.0**-decimals for one in numbers)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_json_of_a_command_has_what_its_table_has(played: Path, words: tuple[str, ...]) -> None:
    cells = cells_in(asked(played, *words))
    found = [leaf for line in asked(played, *words, "--json").splitlines() for leaf in leaves(json.loads(line))]
    numbers = [float(leaf) for leaf in found if isinstance(leaf, int | float) and not isinstance(leaf, bool)]
    text = " ".join(leaf for leaf in found if isinstance(leaf, str)).replace("\n", " ").lower()

    assert cells
    for cell in cells:
        if number := as_number(cell):
            assert is_among(number[1], number[2] is not None, numbers) or cell.lower() in text, cell
        else:
            assert {word.lower() for word in words_in(cell)} - IN_OTHER_WORDS <= set(words_in(text)), cell
