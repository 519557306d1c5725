"""From when on counters count: asked by every command that replays them."""

import click

from ledger.store import Ledger
from ledger.times import parse_time
from projections.audit.compare import counters_since
from projections.since import SINCE_DATE

since_option = click.option(
    "--metrics-since",
    default=None,
    help=f"Counters leave out older events; by default as the stored counters do, else {SINCE_DATE}.",
)


def since_us(ledger: Ledger, text: str | None) -> int:
    """From when on counters count, in microseconds since the epoch. Raises InvalidTextError."""
    if text is not None:
        return parse_time(text)
    stored = counters_since(ledger)
    return parse_time(SINCE_DATE) if stored is None else stored  # a stored 0 means from the beginning
