"""watch: an audit that goes on, with two series that an alert can read."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, start_http_server

from ledger.errors import LedgerError
from projections.audit.watch import Look, Watch
from projections.commands.console import bad, finding, json_option, print_json, remark, say
from projections.commands.numbers import DurationType, WholeType
from projections.commands.program import EXIT_PROBLEM
from projections.commands.source import Source, pass_source

PORT = 9477
EVERY = DurationType(86_400, "of a day at most")
ALL_EVERY = DurationType(366 * 86_400, "of a year at most")


@click.command()
@click.option(
    "--every", "every_seconds", type=EVERY, default="60s", show_default=True, help="Time between two looks."
)
@click.option(
    "--all-every", "all_every_seconds", type=ALL_EVERY, default="24h", show_default=True, help="Verify all again."
)
@click.option("--port", type=WholeType(0, 65_535), default=PORT, show_default=True, help="Port of the series.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of the series.")
@click.option("--once", is_flag=True, help="Look once and end, without a port.")
@click.option("--looks", type=WholeType(1), default=None, help="End after so many looks.")
@click.option(
    "--key",
    "keys",
    type=click.Path(dir_okay=False, path_type=Path),
    multiple=True,
    help="Public key of the seals; default: beside the database.",
)
@json_option
@pass_source
def watch(
    source: Source,
    every_seconds: int,
    all_every_seconds: int,
    port: int,
    host: str,
    once: bool,
    looks: int | None,
    keys: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Verify what is appended and derive new decisions again, for as long as the watch runs.

    Every look takes what is new, and one a day takes the whole log again. A page for Prometheus on the port has
    `rps_audit_verified_position` and `rps_audit_findings`. A finding stays until the watch ends. As JSON: one
    object a look.

    Example: rps-audit watch --every 60s
    """
    watched = Watch(source.verifiers(keys))
    source.reader().engine.dispose()  # a ledger that was never there is no ledger that is locked for a moment
    numbers = count() if looks is None and not once else range(1 if once else looks or 1)
    with _ending_on_sigterm(), nullcontext() if once else _page(host, port, watched):
        all_seconds = time.monotonic()
        for number in numbers:
            if number:
                time.sleep(every_seconds)
            everything = time.monotonic() - all_seconds >= all_every_seconds
            if everything:
                all_seconds = time.monotonic()
            is_read = _look(source, watched, everything=everything, as_json=as_json)
    if watched.findings:
        finding()
    if not is_read:
        click.get_current_context().exit(EXIT_PROBLEM)


def _look(source: Source, watched: Watch, *, everything: bool, as_json: bool) -> bool:
    """One look; False where the ledger could not be read, which the next one may."""
    try:
        ledger = source.reader()
        try:
            look = watched.look(ledger, everything=everything)
        finally:
            ledger.engine.dispose()
    except LedgerError as error:
        remark(f"not verified this time: {error}")
        return False
    _print(look, watched, as_json=as_json)
    return True


def _print(look: Look, watched: Watch, *, as_json: bool) -> None:
    if as_json:
        found = {"new_findings": look.findings, "findings": len(watched.findings)}
        print_json({"verified_position": look.verified_position, **found})
        return
    for one in look.findings:
        say(bad(one))
    say(f"verified up to position {look.verified_position:,}, findings so far: {len(watched.findings):,}")


@contextmanager
def _page(host: str, port: int, watched: Watch) -> Iterator[None]:
    """The series, served from a thread for the time of the block. Raises OSError for a port that is taken."""
    registry = CollectorRegistry()
    position = Gauge("rps_audit_verified_position", "Position up to which all events fit.", registry=registry)
    findings = Gauge("rps_audit_findings", "Findings since the watch began; none goes away.", registry=registry)
    position.set_function(lambda: watched.verified_position)
    findings.set_function(lambda: len(watched.findings))
    ProcessCollector(registry=registry)
    # A scraper that hangs up must not end the watch, as a reader of the program's output may.
    piped = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    server, thread = start_http_server(port, host, registry)
    try:
        remark(f"http://{host}:{server.server_port}/metrics")
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        signal.signal(signal.SIGPIPE, piped)


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Have SIGTERM end the block wherever it is, with status 0: it is how a watch is meant to end."""

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
