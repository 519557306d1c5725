from pathlib import Path
from typing import Literal

from tests.mutants.drawing import Mutant, Name
from tests.mutants.judging import judge, read_reasons
from tests.mutants.trials import Result

ROOT = Path(__file__).parents[2]
MUTANT = Mutant("ledger/box.py", "f", 1, 2, "x > 1", "x >= 1", "")


def results(killed: int, survived: int = 0, hung: int = 0) -> list[Result]:
    counts: dict[Literal["killed", "survived", "hung"], int] = {
        "killed": killed,
        "survived": survived,
        "hung": hung,
    }
    return [
        Result(MUTANT, outcome, tests=3, cpu_seconds=0.6)
        for outcome, count in counts.items()
        for _ in range(count)
    ]


def test_a_survivor_without_a_reason_fails_the_run_and_is_shown() -> None:
    verdict = judge(results(killed=99, survived=1), {})

    assert not verdict.passed
    assert "  - x > 1" in verdict.lines
    assert "no reason" in verdict.lines[-2]


def test_a_survivor_with_a_reason_is_shown_with_it() -> None:
    verdict = judge(results(killed=94, survived=5, hung=1), {MUTANT.name: "the limit is a matter of taste"})

    assert verdict.passed
    assert verdict.lines[3:5] == ["  the limit is a matter of taste", verdict.lines[4]]
    assert verdict.lines[-1].startswith(
        "95 of 100 mutants killed, 95.0% (95 % interval 88.8% to 97.8%); 1 of them"
    )
    assert verdict.lines[-1].endswith("1.0 minutes of processor time.")


def test_mutants_that_were_not_tried_fail_the_run() -> None:
    verdict = judge(results(killed=100), {}, not_tried=3)

    assert not verdict.passed
    assert "3 mutants were not tried" in verdict.lines[0]


def test_too_many_survivors_fail_the_run_whatever_their_reasons() -> None:
    assert not judge(results(killed=94, survived=6), {MUTANT.name: "no reason is good enough"}).passed


def test_a_reason_is_found_by_its_mutant_s_name(tmp_path: Path) -> None:
    path = tmp_path / "reasons.toml"
    path.write_text('''
[[survivor]]
file = "ledger/box.py"
function = "f"
before = "x > 1"
after = """
x >= 1
"""
reason = "1 never comes"
''')

    assert read_reasons(path) == {Name("ledger/box.py", "f", "x > 1", "x >= 1"): "1 never comes"}


def test_every_reason_is_about_code_that_exists() -> None:
    for name in read_reasons():
        lines = [line.strip() for line in (ROOT / name.file).read_text().splitlines()]
        assert set(name.before.splitlines()) <= set(lines), f"{name.file}: {name.before}"
