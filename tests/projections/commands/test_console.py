import io
import json
import math

import pytest
from rich.console import Console

from ledger.verification.findings import Finding
from ledger.verification.walk import VerificationReport
from projections.commands import console
from projections.commands.console import print_json, print_payload, print_table, printable, show


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal of 80 columns."""
    written = io.StringIO()
    monkeypatch.setattr(console, "output", lambda: Console(width=80, file=written, highlight=False))
    return written


def test_json_has_bytes_as_hexadecimal_digits_wherever_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    chain_hash = bytes(range(32))
    report = VerificationReport(1, 1, 1, chain_hash, 0, (Finding(None, "damaged", "x"),))

    print_json(
        {"here": chain_hash, "deeper": [{"too": (chain_hash,)}], "report": report, "number": 7, "none": None}
    )

    found = json.loads(capsys.readouterr().out)
    assert found["here"] == found["deeper"][0]["too"][0] == found["report"]["chain_hash"] == chain_hash.hex()
    assert (found["number"], found["none"]) == (7, None)
    assert found["report"]["findings"] == [{"position": None, "kind": "damaged", "problem": "x"}]
    assert show(chain_hash) == chain_hash.hex()


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_has_not_is_null(number: float, capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"e": number, "of": [number, 0.5]})

    assert capsys.readouterr().out == '{"e":null,"of":[null,0.5]}\n'


def test_a_number_is_never_broken_in_two(narrow: io.StringIO) -> None:
    words = "words that fill a column and may well be broken"
    rows = [(1_234_567, words, -1.1759, words, 0.8802, None, "v12 117/118", "2025-11-09 03:01", words, 12)]

    print_table("Numbers", [f"h {number}" for number in range(len(rows[0]))], rows)

    shown = narrow.getvalue()
    whole = ("1,234,567", "-1.1759", "0.8802", "v12", "117/118", "2025-11-09", "03:01", "12")
    assert [number for number in whole if number not in shown] == []
    assert max(len(line) for line in shown.splitlines()) <= 80


@pytest.mark.parametrize("path", ["/srv/promotion/data/ledger.db", "sqlite:////srv/promotion/data/" + "x" * 80])
def test_a_path_is_never_broken(narrow: io.StringIO, path: str) -> None:
    words = "words that fill a column and may well be broken"

    print_table("Paths", ("one", "two", "three"), [(words, path, words)])

    assert path in narrow.getvalue()


def test_a_long_name_with_digits_may_be_broken_and_nothing_of_it_is_left_out(narrow: io.StringIO) -> None:
    print_table("Names", ("one", "other"), [("a1" * 60, "b2" * 60)])

    lines = narrow.getvalue().splitlines()
    assert max(len(line) for line in lines) <= 80
    columns = zip(*(line.split() for line in lines if "a1" in line), strict=True)
    assert ["".join(parts) for parts in columns] == ["a1" * 60, "b2" * 60]


def test_where_there_is_no_room_words_are_broken_to_letters_and_headings_too(narrow: io.StringIO) -> None:
    """Two letters a column would not fit: between 26 columns there are 53 spaces."""
    print_table("Full", ["one"] * 26, [["word"] * 26])
    print_table("Empty", ["one"] * 26, [])

    lines = [line for line in narrow.getvalue().splitlines() if line.strip()]
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert [line.split()[0] for line in lines if line.split()[0] in "onewrd"] == [*"one", *"word", *"one"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ü ▁ [x]", "plain, ü ▁ [x]"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202eback", "\\u202eback"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_does_not_print_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_payload_is_json_again_and_holds_no_character_that_a_terminal_obeys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    payload = {"reason": f"\x9b31m \u202e \x7f \u2028 \xe9 {'long ' * 60}", "of": [1, 0.5, "[bold]", {"x": None}]}

    print_payload(json.dumps(payload, ensure_ascii=False).encode())

    shown = capsys.readouterr().out
    assert json.loads(shown) == payload
    assert all(one.isprintable() for one in shown.replace("\n", ""))
    assert "\xe9" in shown
    assert shown.startswith('{\n  "reason": ')
