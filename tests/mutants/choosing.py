"""Which tests are asked about a mutant: those that run the changed lines, the likeliest and the fastest first.

Those with a PostgreSQL server are asked about lines that no other test runs.
"""

import ast
from collections.abc import Iterable, Mapping
from itertools import accumulate
from pathlib import PurePath

from tests.mutants.drawing import Mutant
from tests.mutants.recording import Recording
from tests.mutants.trials import Job

SECONDS_MAX = 20.0
"""Of the processor, as they were recorded, for the tests of one mutant. One that outlives them is a survivor."""


def choose(mutant: Mutant, recording: Recording) -> Job:
    """The tests of the module itself come first, then those of others, each by its time.

    Its own get half of the time: a room whose tests are slow has fast ones in other files, too. What no test runs
    in its own process is perhaps run by the programs that its own tests start.
    """
    lines = recording.lines.get(mutant.file, {})
    running = {test for line in changed_lines(mutant) for test in lines.get(line, ())}
    fresh = "" in running or not running - {""}
    if fresh:
        running = {test for tests in lines.values() for test in tests}
        running |= {test for test in recording.seconds if test.startswith(own_tests(mutant.file))}
    known = running & recording.seconds.keys()
    known = known.difference(recording.with_server) or known
    ordered = sorted(known, key=lambda one: (recording.seconds[one], one))
    own = (test for test in ordered if test.startswith(own_tests(mutant.file)))
    first = _within(own, recording.seconds, SECONDS_MAX / 2)
    rest = (test for test in ordered if test not in first)
    chosen = _within([*first, *rest], recording.seconds, SECONDS_MAX) or ordered[:1]
    return Job(mutant, {test: recording.seconds[test] for test in chosen}, fresh)


def _within(tests: Iterable[str], seconds: Mapping[str, float], seconds_max: float) -> list[str]:
    """As many of the tests, from the first on, as take no more than so long together."""
    tests = list(tests)
    sums = accumulate(seconds[test] for test in tests)
    return [test for test, upto in zip(tests, sums, strict=True) if upto <= seconds_max]


def own_tests(file: str) -> str:
    """The file of tests that mirrors a module."""
    path = PurePath(file)
    return str("tests" / path.with_name(f"test_{path.name}"))


def changed_lines(mutant: Mutant) -> range:
    """The changed lines, and the first one of their statement: a call is recorded where it begins."""
    last = mutant.line + mutant.before.count("\n")
    statements = [
        node.lineno
        for node in ast.walk(ast.parse(mutant.source))
        if isinstance(node, ast.stmt) and node.lineno <= mutant.line <= (node.end_lineno or node.lineno)
    ]
    return range(max(statements), last + 1)
