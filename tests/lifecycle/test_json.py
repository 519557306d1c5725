"""What a table of `rps` shows is in its JSON, numbers as numbers, over a folder in which games were played."""

import json
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gameplay.cli import rps
from gameplay.config import VARIABLES
from projections.commands import console
from tests.command_lines import RPS

WITH_TABLES = (
    ("promote", "--dry-run"),
    ("promotion", "cycle", "--dry-run"),
    ("promotion", "status"),
    ("promotion", "history"),
    ("models",),
    ("models", "--by-opponent"),
    ("capture", "--replay", "--games", "3"),
    ("capture", "--replay", "--games", "3", "--policy", "logan"),
    ("train",),
    ("cross-family",),
    ("doctor",),
    ("config",),
)
WITHOUT_TABLES = {
    ("serve",),
    ("setup",),
    ("migrate",),
    ("erase",),
    ("accept-ledger",),
    ("clock", "accept"),
    ("dashboard",),
    ("dashboard", "diff"),
    ("dashboard", "adopt"),
    ("models", "sync"),
    ("models", "webhook"),
    *(("promotion", order) for order in ("pin", "unpin", "swap", "undo", "approve", "reject", "cancel")),
}
SUMS_UP = {("simulate",)}
"""Its table counts the games of which the JSON has each."""
IN_OTHER_WORDS = {"yes", "not", "the", "until", "comparable", "off", "true", "false"}
"""What a table says for true, false and null, or between two names."""

DECIMALS = {"0.20"}
"""Alpha is text in the ledger and in JSON: it is compared as the decimal that a person wrote."""

is_age = re.compile(r"[0-9.]+ (s|min|h|d)").fullmatch
times_in = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?")
words_in = re.compile(r"[a-z]{3,}").findall
numbers_in = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?").findall


@pytest.fixture(scope="module")
def folder(played: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The played folder after orders of an operator."""
    copy = shutil.copytree(played, tmp_path_factory.mktemp("ordered") / "data")
    because = ("--reason", "a campaign", "--actor", "ada")
    for words in (
        ("cross-family", "--share", "0.25", "--players", "human", *because),
        ("promotion", "pin", "--model-type", "xgboost", "--alias", "B", "--expires", "2130-01-01", *because),
        ("promotion", "swap", "--model-type", "feedforward_nn", "--yes", *because),
    ):
        asked(copy, *words)
    return copy


def asked(folder: Path, *words: str) -> str:
    unset = dict.fromkeys(VARIABLES)
    result = CliRunner().invoke(rps, [*words], env={**unset, "RPS_DATA_DIR": str(folder)})
    assert result.exit_code in (0, 1), result.output
    return result.stdout


def cells_in(text: str) -> Iterator[str]:
    """The cells of every table: its rows are between a rule and an empty line, with two blanks between cells."""
    in_rows = False
    for line in text.splitlines():
        if not line.strip():
            in_rows = False
        elif set(line) <= set(" ─"):
            in_rows = True
        elif in_rows:
            yield from (cell for cell in re.split(r" {2,}", line.strip()) if cell != "-")


class Leaves:
    """Names and values of JSON, wherever they are: `text` has the names and the strings."""

    def __init__(self, text: str) -> None:
        self.numbers: list[float] = []
        self.strings: list[str] = []
        self._names: set[str] = set()
        for line in text.splitlines():
            self._take("", json.loads(line))
        self.text = " ".join([*self.strings, *self._names]).lower()

    def _take(self, name: str, value: Any) -> None:
        match value:
            case dict():
                self._names |= value.keys()
                for inner_name, inner in value.items():
                    self._take(inner_name, inner)
            case list():
                for inner in value:
                    self._take(name, inner)
            case str():
                self.strings.append(value)
            case int() | float() if not isinstance(value, bool):
                # E grows beyond what a float holds, so JSON has its logarithm.
                self.numbers.append(math.exp(min(value, 100)) if name == "log_e" else value)

    def has(self, number: str, *, percent: bool) -> bool:
        """Whether a number is there that a table shows like this."""
        shown = float(number.replace(",", ""))
        half = 0.51 * 10.0 ** -len(number.partition(".")[2])
        near = any(
            abs(scale * abs(one) - shown) <= half for one in self.numbers for scale in (1, 100)[: 1 + percent]
        )
        return near or number in numbers_in(self.text)


@pytest.mark.parametrize("words", WITH_TABLES, ids=" ".join)
def test_the_json_of_a_command_has_what_its_table_has(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(console, "PIPE_COLUMNS", 2_000)  # every column is there, and no cell is broken
    words = (*words, "--out", str(tmp_path / "captured.jsonl")) if words[0] == "capture" else words
    before = asked(folder, *words, "--json")
    cells = list(cells_in(asked(folder, *words)))
    # Time goes on: what the table shows was so before or is so after it.
    found = Leaves(before + asked(folder, *words, "--json"))

    assert cells
    for cell in cells:
        if is_age(cell) and words == ("models",):
            assert "age_seconds" in found.text
            continue
        assert all(time.lower() in found.text for time in times_in.findall(cell)) or words == ("doctor",), cell
        assert set(words_in(cell.lower())) <= {*words_in(found.text), *IN_OTHER_WORDS}, cell
        if words != ("doctor",):  # the room on the disk and the clock are others a second later
            numbers = numbers_in(times_in.sub("", cell))
            assert [one for one in numbers if not found.has(one, percent="%" in cell)] == [], cell
    assert {one for one in found.strings if numbers_in(one) == [one]} <= DECIMALS


def test_every_command_is_known_to_have_a_table_or_none() -> None:
    with_tables = {tuple(word for word in words[:2] if word in {*RPS, *sum(RPS, ())}) for words in WITH_TABLES}

    assert with_tables | WITHOUT_TABLES | SUMS_UP == RPS.keys()
