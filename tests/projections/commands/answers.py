"""What commands answer about the example, whole: `golden_answers/`, one file a group of commands.

After an answer has changed on purpose run `python -m tests.projections.commands.answers`, and read the difference.
"""

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ledger.store import Ledger
from projections.read_models.all import ReadModels
from scripts.audit_ledger import write_ledger
from tests.projections.sabotage import edit, writable_copy
from tests.projections.stories import execute
from tests.projections.terminal import ask

FOLDER = Path(__file__).parent / "golden_answers"
SIGNIFICANT_DIGITS = 9
"""Of a number in JSON: the last ones are another machine's."""
HASH = re.compile(r"\b[0-9a-f]{64}\b")
"""Left out, since a last digit in any event changes every hash after it."""
SMALL = "--runs 200 --cycles 120 --b-win-rate 0.55 --b-win-rate 0.45 --alpha 0.05"

QUESTIONS = {
    "aliases": ["aliases --at 2025-11-05", "aliases --at 2025-11-05 --json"],
    "compare": ["compare", "compare --json"],
    "compare-of-stored": ["compare", "compare --json"],
    "compare-versions": [
        "compare-versions --model-type xgboost --versions 1,2",
        "compare-versions --model-type xgboost --versions 1,2 --json",
    ],
    "decisions": [
        "decisions --model-type xgboost --limit 5",
        "decisions --position 1588",
        "decisions --position 1588 --json",
        "decisions --position 7436",
    ],
    "decisions-of-edited": [
        "decisions --limit 1",
        "decisions --position 1588",
        "decisions --position 1588 --json",
    ],
    "diff": [
        "diff 1589 1592 --projection tickers",
        "diff 1589 1592 --projection tickers --json",
    ],
    "log": ["log --limit 3", "log --limit 3 --json", "log --since 2030-01-01", "show 1590", "show 1590 --json"],
    "proofs": [
        "prove 77 --out proof.json",
        "prove 78 --out other.json --json",
        "verify-proof proof.json --key seal.key.pub",
        "verify-proof proof.json --key seal.key.pub --json",
    ],
    "replay": [
        "replay --to 1589 --projection standings",
        "replay --to 1589 --projection tickers --json",
    ],
    "simulate-rules": [f"simulate-rules {SMALL}", f"simulate-rules {SMALL} --json"],
    "status": ["status", "status --json"],
    "verify": ["verify", "verify --json", "watch --once", "watch --once --json"],
    "verify-of-edited": ["verify", "verify --json", "watch --once --json"],
    "what-if": ["what-if --alpha 0.05", "what-if --alpha 0.05 --json", "what-if --rule anytime-sign/1"],
}
"""File -> what is asked; of the example unless the name has another database."""


def prepare(example: Path, folder: Path) -> None:
    """The example as `ledger.db`, and two copies: one with edited entries, one with edited read models."""
    shutil.copy(example, folder / "ledger.db")
    shutil.copy(example.with_name("seal.key.pub"), folder)
    with writable_copy(example, folder) as ledger:
        edit_entries(ledger)
    (folder / "copy.db").rename(folder / "edited.db")
    with writable_copy(example, folder) as ledger:
        edit_stored(ledger)
    (folder / "copy.db").rename(folder / "stored.db")


def edit_entries(ledger: Ledger) -> None:
    """A decision has another reason, a move completes a plan that never was, and a game has more rounds."""
    edit(ledger, 1588, lambda payload: payload.update(reason="[because]", reason_code="not_better"))
    edit(ledger, 4480, lambda payload: payload.update(plan=99))
    edit(ledger, 7550, lambda payload: payload.update(rounds=99))


def edit_stored(ledger: Ledger) -> None:
    """Waypoints as they should be, no snapshot of the tickers, and a row of the history with another reason."""
    execute(ledger.engine, "DELETE FROM projection_snapshots")
    read_models = ReadModels(ledger, waypoint_entries=2_500)
    read_models.projector.start()
    read_models.projector.save()
    execute(ledger.engine, "DELETE FROM projection_snapshots WHERE name = 'tickers'")
    execute(ledger.engine, "UPDATE promotion_history SET reason = '[because]' WHERE id = 1588")


def answers(folder: Path, name: str) -> str:
    """The questions of a file, each with what comes out."""
    database = Path(f"{name.partition('-of-')[2] or 'ledger'}.db")
    with chdir(folder):
        return "\n".join(_answer(database, words) for words in QUESTIONS[name])


def _answer(database: Path, words: str) -> str:
    said = ask(database, *shlex.split(words))
    output = _indented(said.output) if words.endswith(" --json") else said.output
    status = [f"[exit status {said.status}]"] if said.status else []
    lines = (f"$ rps-audit {words}", *output.splitlines(), *said.problem.splitlines(), *status)
    return "".join(f"{HASH.sub('(a hash)', line).rstrip()}\n" for line in lines)


def _indented(output: str) -> str:
    values = (_rounded(json.loads(line)) for line in output.splitlines())
    return "".join(f"{json.dumps(value, indent=1, ensure_ascii=False)}\n" for value in values)


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
        case dict():
            return {name: _rounded(one) for name, one in value.items()}
        case list():
            return [_rounded(one) for one in value]
        case _:
            return value


def written() -> Iterator[Path]:
    """The files of answers."""
    yield from sorted(FOLDER.glob("*.txt"))


def main() -> None:
    """Write every file again."""
    FOLDER.mkdir(exist_ok=True)
    for path in written():
        path.unlink()
    with TemporaryDirectory() as folder:
        example = Path(folder) / "example"
        example.mkdir()
        prepare(write_ledger(example), Path(folder))
        for name in QUESTIONS:
            (FOLDER / f"{name}.txt").write_text(answers(Path(folder), name), "utf-8")


if __name__ == "__main__":
    main()
