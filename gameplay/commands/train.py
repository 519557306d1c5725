"""`rps train`: new versions from the games since."""

from collections.abc import Iterator, Sequence
from typing import Any

import click

from gameplay.commands.opened import opened
from gameplay.commands.settings import pass_settings
from gameplay.config import Settings
from gameplay.core import Core
from gameplay.training.dataset import Dataset
from gameplay.training.retraining import Retrained, candidates, read_training_data, retrain
from ledger.vocabulary import ALIASES, FAMILIES, Alias, Family
from projections.commands.console import (
    finding,
    json_option,
    model_type_option,
    print_json,
    print_table,
    progress,
    share,
    track,
)

SOURCE = "rps train"
_HEADINGS = ("family", "alias", "version", "new rows", "training", "hold-out", "seconds", "outcome")


@click.command()
@model_type_option
@click.option("--alias", type=click.Choice(ALIASES), help="One alias only.")
@click.option("--force", is_flag=True, help="Train although there are few new rows.")
@json_option
@pass_settings
def train(settings: Settings, model_type: Family | None, alias: Alias | None, force: bool, as_json: bool) -> None:
    """Train a new version for each alias that has enough new rounds to learn from. As JSON: one object an alias.

    Exit status: 1 when a version that was due is not behind its alias.

    Example: rps train --model-type xgboost --alias B
    """
    families = (model_type,) if model_type else FAMILIES
    aliases = (alias,) if alias else ALIASES
    with opened(settings) as core:
        dataset = _read(core)
        chosen = candidates(core, dataset, families, aliases, force=force)
        outcomes = retrain(core, dataset, chosen, source=SOURCE, track=track)
    if as_json:
        for outcome in outcomes:
            print_json(_record(outcome, dataset))
    else:
        print_table(_title(dataset), _HEADINGS, list(_rows(outcomes)))
    if any(outcome.failed for outcome in outcomes):
        finding()


def _read(core: Core) -> Dataset:
    read = 0
    with progress("Reading the ledger", core.ledger.head().position) as advance:

        def to(position: int) -> None:
            nonlocal read
            advance(position - read)
            read = position

        return read_training_data(core.ledger, core.settings, progress=to)


def _record(outcome: Retrained, dataset: Dataset) -> dict[str, Any]:
    candidate, event, source = outcome.candidate, outcome.event, dataset.source
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
        "dataset": {
            "rows": source.rows,
            "games": source.games,
            "from_position": source.after_position + 1,
            "to_position": source.through_position,
        },
    }


def _title(dataset: Dataset) -> str:
    source = dataset.source
    return (
        f"{source.rows:,} rows of {source.games:,} games, ledger positions {source.after_position + 1:,} "
        f"to {source.through_position:,}"
    )


def _rows(outcomes: Sequence[Retrained]) -> Iterator[tuple[str | int | float | None, ...]]:
    for outcome in outcomes:
        candidate, event = outcome.candidate, outcome.event
        moved = f"v{candidate.version} -> v{event.model_version}" if outcome.placed and event else None
        yield (
            candidate.family,
            candidate.alias,
            moved or f"v{candidate.version}",
            candidate.new_rows,
            share(event.training_accuracy if event else None),
            share(event.holdout_accuracy if event else None),
            f"{event.duration_seconds:.1f}" if event and event.duration_seconds else None,
            candidate.reason or outcome.problem or "active",
        )
