"""Keep docs/audit.md true: run every command that it shows on the example ledger, and put in what comes out.

`python -m scripts.audit_docs` rewrites the page; a test runs the same and compares.
"""

import contextlib
import re
import shlex
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner

from ledger.engines.database import open_engine
from ledger.guards import SQLITE as TRIGGERS
from ledger.sealing.seals import read_seals
from ledger.store import Ledger
from projections.audit.archive import FOLDER
from projections.cli import rps_audit
from scripts.audit_ledger import SIGNER, write_ledger

PAGE = Path(__file__).parents[1] / "docs" / "audit.md"
PROMPT = "$ rps-audit"
LINES_MAX = 41
_ANCHOR = re.compile(r"(?<=--expect )[0-9]+:[0-9a-f]{64}")
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def render(page: str, folder: Path) -> str:
    """The page with the output of every `$ rps-audit` line in it, run in order in an empty folder."""
    anchor = _prepare(folder)
    # The page asks for the hash that was written down: of another example another one.
    page = _ANCHOR.sub(anchor, page)
    with contextlib.chdir(folder):
        return _BLOCK.sub(lambda found: f"```console\n{_run_block(found[1])}```", page)


def _prepare(folder: Path) -> str:
    """The example, its seals in an archive, and a copy in which a player has been made to lose.

    Returns the head as an anchor, POSITION:HASH.
    """
    path = write_ledger(folder / "data")
    engine = open_engine(f"sqlite:///{path}")
    notes = folder / "data" / "models" / FOLDER
    notes.mkdir(parents=True)
    ledger = Ledger(engine)
    for seal in read_seals(ledger):
        (notes / f"{seal.size:020d}.note").write_bytes(seal.checkpoint)
    head = ledger.head()
    engine.dispose()
    (folder / "data" / "seal.key").write_text(SIGNER.text(), "utf-8")
    shutil.copy(path, folder / "tampered.db")
    tamper(folder / "tampered.db")
    return f"{head.position}:{head.chain_hash.hex()}"


def tamper(path: Path) -> int:
    """Have the bot win a game that the player won, as an intruder could; returns its position."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER events_refuse_update")
        (position,) = connection.execute(
            """SELECT max(position) FROM events WHERE type = 'game.finished'
            AND payload ->> 'model_type' = 'xgboost' AND payload ->> 'winner' = 'user'
            AND payload ->> 'counted' AND NOT payload ->> 'degraded'"""
        ).fetchone()
        connection.execute(
            """UPDATE events SET payload = CAST(
            replace(CAST(payload AS TEXT), '"winner":"user"', '"winner":"bot"') AS BLOB) WHERE position = ?""",
            (position,),
        )
        connection.execute(TRIGGERS["events_refuse_update"])
        return int(position)


def _run_block(block: str) -> str:
    return "".join(_run(line) for line in block.splitlines() if line.startswith(PROMPT))


def _run(line: str) -> str:
    arguments = shlex.split(line.removeprefix(PROMPT))
    result = CliRunner().invoke(rps_audit, arguments, prog_name="rps-audit")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    status = f"[exit status {result.exit_code}]\n" if result.exit_code else ""
    return f"{line}\n{''.join(_shortened(result.output))}{status}"


def _shortened(output: str) -> Iterator[str]:
    lines = [f"{text.rstrip()}\n" for text in output.strip("\n").splitlines()]
    yield from lines[:LINES_MAX]
    if len(lines) > LINES_MAX:
        yield f"... and {len(lines) - LINES_MAX} lines more\n"


def main() -> int:
    """Rewrite the page."""
    with tempfile.TemporaryDirectory(prefix="rps-audit-docs-") as folder:
        PAGE.write_text(render(PAGE.read_text("utf-8"), Path(folder)), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
