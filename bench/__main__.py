"""Run every scenario, or those whose name contains an argument: `python -m bench append play`."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.table import Table

from bench import append, cluster, cross_family, http, models, postgresql, replay
from bench.scenario import Outcome
from projections.commands.console import output

SCENARIOS: dict[str, Callable[[Path], Outcome]] = {
    "append": append.scenario,
    "replay": replay.scenario,
    "restart": replay.restart,
    "metrics": http.metrics,
    "history": http.history,
    "play-size": http.play_size,
    "play-rate": http.play_rate,
    "play-latency": http.play_latency,
    "play-tail": http.play_tail,
    **models.SCENARIOS,
    **cross_family.SCENARIOS,
    **postgresql.SCENARIOS,
    **cluster.SCENARIOS,
}


def main(wanted: list[str]) -> int:
    """Print a table of ratios; the exit status is 1 when a target is missed."""
    chosen = [name for name in SCENARIOS if not wanted or any(word in name for word in wanted)]
    table = Table(title="Ratios, median of five; every scenario has checked its own result")
    for heading in ("what", "measured", "against", "ratio", "lowest..highest", "target", "met"):
        table.add_column(heading, justify="right")
    outcomes, console = [], output()
    with tempfile.TemporaryDirectory(prefix="rps-bench-") as folder:
        for name in chosen:
            with console.status(f"{name} ..."):
                outcome = SCENARIOS[name](Path(folder))
            outcomes.append(outcome)
            low, high = outcome.spread
            row = (outcome.name, outcome.subject, outcome.reference, f"{outcome.ratio:.2f}")
            met = "yes" if outcome.met else "NO"
            table.add_row(*row, f"{low:.2f}..{high:.2f}", f"{outcome.wanted} {outcome.target}", met)
    console.print(table)
    return 0 if all(outcome.met for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
