"""Asking `rps-audit` in this process."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

from projections import cli
from projections.cli import PROBLEMS, rps_audit


class Answer(NamedTuple):
    """What a command says, and its exit status."""

    status: int
    output: str
    problem: str

    @property
    def json(self) -> Any:
        return json.loads(self.output)


def ask(database: Path | str, *arguments: str) -> Answer:
    """The answer of a command; a problem is what `main` would tell on standard error."""
    url = database if isinstance(database, str) else f"sqlite:///{database}"
    result = CliRunner().invoke(rps_audit, ["--database", url, *arguments], prog_name="rps-audit")
    if isinstance(result.exception, PROBLEMS):
        return Answer(cli.EXIT_PROBLEM, result.stdout, str(result.exception))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)
