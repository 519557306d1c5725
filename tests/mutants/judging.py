"""What a run says: how many mutants were killed, and why each survivor may live."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct
from rich.markup import escape
from scipy.stats import binomtest

from tests.mutants.drawing import Name
from tests.mutants.trials import Result

KILLED_MIN = 0.95
REASONS = Path(__file__).with_name("reasons.toml")


class Reason(Struct, forbid_unknown_fields=True):
    """Why no test can kill a mutant, or should."""

    file: str
    function: str
    before: str
    after: str
    reason: str

    @property
    def name(self) -> Name:
        """The mutant's."""
        return Name(self.file, self.function, self.before.strip(), self.after.strip())


class Verdict(NamedTuple):
    """Whether the run passes, and what it prints."""

    passed: bool
    lines: list[str]


def read_reasons(path: Path = REASONS) -> dict[Name, str]:
    """The reasons by the names of their mutants."""
    table = tomllib.loads(path.read_text())
    reasons = msgspec.convert(table.get("survivor", []), list[Reason])
    return {one.name: one.reason for one in reasons}


def judge(results: Sequence[Result], reasons: Mapping[Name, str], not_tried: int = 0) -> Verdict:
    """Passed: all were tried, at least KILLED_MIN are killed, and every survivor has a reason."""
    survivors = [one for one in results if one.outcome == "survived"]
    killed = len(results) - len(survivors)
    enough = killed >= KILLED_MIN * len(results)
    explained = all(one.mutant.name in reasons for one in survivors)
    late = [f"[red]{not_tried} mutants were not tried: the time was up"] if not_tried else []
    lines = [*_survivors(survivors, reasons), *late, _summary(results, killed)]
    return Verdict(enough and explained and not not_tried, lines)


def _survivors(survivors: Sequence[Result], reasons: Mapping[Name, str]) -> Iterator[str]:
    for one in survivors:
        name = one.mutant.name
        yield f"[bold]{escape(name.file)}:{one.mutant.line} {escape(name.function)}"
        yield "\n".join(f"  - {escape(line)}" for line in name.before.splitlines())
        yield "\n".join(f"  + {escape(line)}" for line in name.after.splitlines())
        yield f"  {escape(reasons[name])}" if name in reasons else f"  [red]no reason; {one.tests} tests passed"


def _summary(results: Sequence[Result], killed: int) -> str:
    low, high = binomtest(killed, len(results)).proportion_ci(method="wilson")
    hung = sum(one.outcome == "hung" for one in results)
    minutes = sum(one.cpu_seconds for one in results) / 60
    return (
        f"{killed} of {len(results)} mutants killed, {killed / len(results):.1%}"
        f" (95 % interval {low:.1%} to {high:.1%}); {hung} of them hung. {minutes:.1f} minutes of processor time."
    )
