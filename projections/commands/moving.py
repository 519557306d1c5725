"""export, import, backup, backfill: the ledger in other places."""

import shutil
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, BinaryIO

import click
from msgspec import structs

from ledger.times import show_time
from ledger.verification.backup import back_up
from ledger.verification.transfer import ImportRefusedError, NotExportedError, export_lines, import_lines
from projections.commands.console import bad, finding, good, json_option, print_json, progress, say
from projections.commands.numbers import DurationType
from projections.commands.outputs import new_file
from projections.commands.positions import TimeType
from projections.commands.since import since_option, since_us
from projections.commands.source import Source, length, pass_source
from projections.errors import BackfillError
from projections.metrics.backfill import LOOKBACK_SECONDS, make_blocks, write_backfill
from projections.metrics.series import LEDGER_INSTANCE, LEDGER_JOB
from projections.notebook.book import TABLES, Notebook
from projections.notebook.tables import Table, write_csv, write_lines, write_parquet

STEP = DurationType(LOOKBACK_SECONDS - 1, "below the 5 minutes after which a sample is no longer shown")


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), default="-")
@click.option("--what", type=click.Choice(TABLES), help="One table instead of the log.")
@click.option(
    "--format", "form", type=click.Choice(["csv", "jsonl", "parquet"]), help="Of a table.  [default: csv]"
)
@pass_source
def export_(source: Source, file: Path, what: str | None, form: str | None) -> None:
    """Write the log as JSON Lines, with positions, ids and hashes; to standard output, or to a new FILE.

    A table is for other programs: it cannot be imported again.

    Example: rps-audit export ledger.jsonl

    Example: rps-audit export --what games --format parquet games.parquet
    """
    if what is not None:
        _export_table(Notebook(source.reader()), what, form or "csv", file)
        return
    if form is not None:
        raise click.UsageError("--format is for a table: name one with --what")
    ledger = source.reader()
    with _opened(file) as lines, progress("Exporting", ledger.head().position) as advance:
        for line in export_lines(ledger):
            lines.write(line)
            advance(1)


def _opened(file: Path) -> AbstractContextManager[IO[bytes]]:
    if str(file) == "-":
        return nullcontext(sys.stdout.buffer)
    return new_file(file)


def _export_table(notebook: Notebook, what: str, form: str, file: Path) -> None:
    table: Table[Any] = getattr(notebook, what)()
    with _opened(file) as output:
        match form:
            case "csv":
                text = TextIOWrapper(output, "utf-8", newline="", write_through=True)
                write_csv(table, text)
                text.detach()
            case "jsonl":
                write_lines(table, output)
            case _:
                write_parquet(table, output)


@click.command("import")
@click.argument("file", type=click.File("rb"))
@json_option
@pass_source
def import_(source: Source, file: BinaryIO, as_json: bool) -> None:
    """Read exported lines into an empty ledger, all or nothing, recomputing the chain on the way.

    Example: rps-audit --database sqlite:///copy.db import ledger.jsonl
    """
    try:
        with source.empty() as ledger, progress("Importing", None) as advance:
            imported = import_lines(ledger, file, advance)
            head = ledger.head()
    except NotExportedError:
        raise
    except ImportRefusedError as error:
        if as_json:
            print_json({"imported": 0, "line": error.line, "problem": error.problem})
        else:
            say(bad(str(error)))
        finding()
        return
    if as_json:
        print_json({"imported": imported, "chain_hash": head.chain_hash})
    else:
        say(f"{imported:,} events imported, head {head.position}:{head.chain_hash.hex()}")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
@pass_source
def backup(source: Source, file: Path, as_json: bool) -> None:
    """Copy the whole database to FILE while the service runs, and verify the copy.

    Example: rps-audit backup ledger-2026-11-12.db
    """
    ledger = source.reader()
    with progress("Verifying the copy", length(ledger)) as advance:
        report = back_up(ledger.engine, file, advance)
    if as_json:
        print_json({"file": str(file), "bytes": file.stat().st_size, "intact": report.intact, "report": report})
    else:
        for found in report.findings:
            say(bad(str(found)))
        verdict = good("verified") if report.intact else bad("copied as it is, and not intact")
        say(f"{file}: {report.events:,} events, head {report.last}, ", verdict)
    if not report.intact:
        finding()


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="An empty folder.")
@click.option("--step", type=STEP, default="60s", show_default=True, help="Time between two samples.")
@click.option("--from", "from_", type=TimeType(), default=None, help="Not before this time, such as -2w.")
@click.option("--to", type=TimeType(), default=None, help="Not after this time.")
@click.option("--job", default=LEDGER_JOB, show_default=True, help="The scrapes' label `job`.")
@click.option(
    "--instance", default=LEDGER_INSTANCE, show_default=True, help="The label `instance` that they have."
)
@click.option("--blocks", is_flag=True, help="Have promtool make blocks in OUT/blocks, and count what is in them.")
@since_option
@json_option
@pass_source
def backfill(
    source: Source,
    out: Path,
    step: int,
    from_: int | None,
    to: int | None,
    job: str,
    instance: str,
    blocks: bool,
    metrics_since: str | None,
    as_json: bool,
) -> None:
    """Write the ledger's metrics as OpenMetrics with timestamps, a file a day, for Prometheus to take in.

    Example: rps-audit backfill --out history --step 60s --blocks

    Then copy history/blocks/* into the server's data folder, where it finds them within a minute.
    """
    ledger = source.reader()
    promtool = shutil.which("promtool") if blocks else None
    if blocks and promtool is None:
        raise BackfillError("promtool is not installed; it comes with Prometheus")
    with progress("Replaying", ledger.head().position) as advance:
        manifest = write_backfill(
            ledger,
            out,
            step_seconds=step,
            since_us=since_us(ledger, metrics_since),
            labels={"job": job, "instance": instance},
            now_seconds=time.time(),
            from_us=from_,
            to_us=to,
            progress=advance,
        )
    made = make_blocks(out, manifest, promtool) if promtool else None
    if as_json:
        print_json({**structs.asdict(manifest), "blocks": made._asdict() if made else None})
        return
    began, ended = (show_time(seconds * 1_000_000) for seconds in (manifest.from_seconds, manifest.to_seconds))
    say(f"{manifest.samples:,} samples of {manifest.series} series in {len(manifest.files)} files, checked")
    say(f"from {began} to {ended}, the ledger up to position {manifest.last_position}")
    if made:
        say(f"{made.blocks} blocks with as many samples in {out / 'blocks'}")
