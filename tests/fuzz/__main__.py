"""`make fuzz`: thousands of requests made from the OpenAPI document, over every call; exits 1 at a broken rule."""

import resource
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from gameplay.config import Settings
from tests.fuzz.fuzzing import fuzz, known_values, operations, process_series
from tests.gameplay.faults import registry_with_versions
from tests.gameplay.prepared import write_prepared
from tests.gameplay.web_clients import serving

GROWN_MIB_MAX = 200


@click.command()
@click.option("--tries", default=10_000, show_default=True, help="Requests in all, shared by the calls.")
@click.option("--seed", default=1, show_default=True, help="Of the requests.")
def main(tries: int, seed: int) -> None:
    """Send right and wrong requests to every call, and check after each that a refused one left nothing behind.

    Example: python -m tests.fuzz --tries 500 --seed 7
    """
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=write_prepared(Path(folder) / "data"), promotion_schedule=None)
        with serving(settings, registry_with_versions(count=6)) as client:
            calls, known, series = list(operations()), known_values(client), process_series(client)
            found: dict[str, Counter[int]] = {operation.name: Counter() for operation in calls}
            grown_from = 0.0
            while (missing := tries - sum(map(Counter.total, found.values()))) > 0:
                each = -(-missing // len(calls))
                for number, operation in enumerate(track(calls, f"{missing:,} requests", console=console)):
                    statuses = fuzz(client, operation, each, start=seed, known=known)
                    found[operation.name] += statuses
                    if number == len(calls) // 2:
                        grown_from = grown_from or _peak_mib()
                seed += 1
                # A call without parameters is asked once, whatever it is given; the others make up for it.
                calls = [operation for operation in calls if found[operation.name].total() > 1]
            if made := process_series(client) - series:
                console.print(f"[red]series that requests have made: {made}")
                sys.exit(1)
    table = Table("call", "2xx", "4xx", "503")
    for name, statuses in found.items():
        table.add_row(name, *_shares(statuses))
    console.print(table)
    console.print(f"{sum(map(Counter.total, found.values())):,} requests broke no rule")
    grown_mib = _peak_mib() - grown_from
    console.print(f"peak memory grew by {grown_mib:.0f} MiB in the second half, the generator's own included")
    if grown_mib > GROWN_MIB_MAX:
        console.print(f"[red]more than {GROWN_MIB_MAX} MiB")
        sys.exit(1)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _shares(statuses: Counter[int]) -> tuple[str, ...]:
    counts = {kind: sum(n for status, n in statuses.items() if status // 100 == kind) for kind in (2, 4, 5)}
    return tuple(str(count) for count in counts.values())


if __name__ == "__main__":
    main()
