"""`rps train`: new versions from the games since."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.table import Table

from gameplay.commands.console import EXIT_FINDING, opened, output, progress_bars, share, track
from gameplay.config import Settings
from gameplay.core import Core
from gameplay.training.dataset import Dataset
from gameplay.training.retraining import Outcome, candidates, read_training_data, retrain
from ledger.vocabulary import ALIASES, FAMILIES, Alias, Family

SOURCE = "rps train"


@click.command(epilog="Example: rps train --family xgboost --alias B")
@click.option("--family", type=click.Choice(FAMILIES), help="One family only.")
@click.option("--alias", type=click.Choice(ALIASES), help="One alias only.")
@click.option("--force", is_flag=True, help="Train although there are few new rows.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each alias.")
@click.pass_obj
def train(settings: Settings, family: Family | None, alias: Alias | None, force: bool, as_json: bool) -> None:
    """Train a new version for each alias that has enough new rounds to learn from.

    The exit status is 1 when a version that was due is not in place.
    """
    families = (family,) if family else FAMILIES
    aliases = (alias,) if alias else ALIASES
    with opened(settings) as core:
        dataset = _read(core)
        chosen = candidates(core, dataset, families, aliases, force=force)
        outcomes = retrain(core, dataset, chosen, source=SOURCE, track=track)
    if as_json:
        for outcome in outcomes:
            click.echo(json.dumps(_record(outcome)))
    else:
        output.print(_table(outcomes, dataset))
    if any(outcome.failed for outcome in outcomes):
        sys.exit(EXIT_FINDING)


def _read(core: Core) -> Dataset:
    with progress_bars() as bars:
        task = bars.add_task("Reading the ledger", total=core.ledger.head().position)
        return read_training_data(
            core.ledger, core.settings, progress=lambda position: bars.update(task, completed=position)
        )


def _record(outcome: Outcome) -> dict[str, Any]:
    candidate, event = outcome.candidate, outcome.event
    return {
        "model_type": candidate.family,
        "alias": candidate.alias,
        "status": event.status if event else "skipped",
        "placed": outcome.placed,
        "reason": candidate.reason or outcome.problem,
        "version_before": candidate.version,
        "version": event.model_version if event else None,
        "run_id": event.run_id if event else None,
        "rows": event.rows if event else None,
        "new_rows": candidate.new_rows,
        "training_accuracy": event.training_accuracy if event else None,
        "holdout_accuracy": event.holdout_accuracy if event else None,
        "duration_seconds": event.duration_seconds if event else None,
    }


def _table(outcomes: Sequence[Outcome], dataset: Dataset) -> Table:
    source = dataset.source
    table = Table(
        title=f"{source.rows} rows of {source.games} games, ledger positions "
        f"{source.after_position + 1} to {source.through_position}"
    )
    for heading in ("family", "alias", "version", "new rows", "training", "hold-out", "seconds", "outcome"):
        table.add_column(heading, justify="left" if heading in ("family", "alias", "outcome") else "right")
    for outcome in outcomes:
        candidate, event = outcome.candidate, outcome.event
        moved = f"v{candidate.version} -> v{event.model_version}" if outcome.placed and event else ""
        table.add_row(
            candidate.family,
            candidate.alias,
            moved or f"v{candidate.version}",
            str(candidate.new_rows),
            share(event.training_accuracy if event else None),
            share(event.holdout_accuracy if event else None),
            f"{event.duration_seconds:.1f}" if event and event.duration_seconds else "",
            candidate.reason or outcome.problem or "in place",
        )
    return table
