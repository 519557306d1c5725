"""What a version is, in the words of MLflow: parameters, metrics, tags, and a page in Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from statistics import fmean, stdev
from typing import Final

import msgspec

from gameplay.models.artifacts import ModelCard, Origin, Score
from ledger.vocabulary import FAMILY_OF_POLICY, Family

LEDGER_TAG: Final = "ledger.id"
POSITION_TAG: Final = "ledger.position"
SCORING: Final = ("numpy", "onnx", "onnxruntime", "pandas")
"""What MLflow's own loader needs beside MLflow to score a version."""


def requirements() -> list[str]:
    """The releases that a version is scored with here, as lines of a requirements file."""
    # The whole of MLflow has the release of its core, which may be all that is installed here.
    return [
        f"mlflow=={metadata.version('mlflow-skinny')}",
        *(f"{name}=={metadata.version(name)}" for name in SCORING),
    ]


def metrics(card: ModelCard) -> dict[str, float]:
    """Each score as an accuracy and a number of rows, and how much the folds of a cross-validation differ."""
    scores: dict[str, Score] = {
        "training": card.training,
        "validation": card.validation,
        "holdout": card.holdout,
        **{f"holdout_vs_{opponent}": score for opponent, score in card.by_opponent.items()},
        **{f"holdout_own_vs_{opponent}": score for opponent, score in card.own_by_opponent.items()},
        **{f"rehearsal_vs_{opponent}": score for opponent, score in card.rehearsal.items()},
    }
    if card.folds:
        scores |= {f"fold_{number}": score for number, score in enumerate(card.folds)}
    accuracies = {f"{name}_accuracy": score.accuracy for name, score in scores.items()}
    counts = {f"{name}_rows": float(score.rows) for name, score in scores.items()}
    known = {name: value for name, value in accuracies.items() if value is not None}
    return {**known, **counts, **_stability(card.folds)}


def _stability(folds: Sequence[Score]) -> dict[str, float]:
    accuracies = [score.accuracy for score in folds if score.accuracy is not None]
    if len(accuracies) < 2:
        return {}
    return {"folds_mean_accuracy": fmean(accuracies), "folds_sd_accuracy": stdev(accuracies)}


def parameters(card: ModelCard) -> dict[str, str]:
    """Hyperparameters, what the version learned from, and the libraries that fitted it."""
    source = msgspec.structs.asdict(card.source)
    return {
        **{name: str(value) for name, value in card.hyperparameters.items()},
        **{f"data_{name}": str(value) for name, value in source.items()},
        **{f"library_{name}": version for name, version in card.libraries.items()},
        "features_digest": card.features_digest,
    }


def run_tags(card: ModelCard, origin: Origin | None) -> dict[str, str]:
    """The tags of a run, by which MLflow's pages name user, source and commit."""
    tags = {"family": card.family, "trained_for": card.alias, "code_version": card.code_version}
    if origin is not None:
        known = {
            "mlflow.user": origin.user,
            "mlflow.source.name": origin.trainer,
            "mlflow.source.type": "JOB" if origin.trainer else None,
            "mlflow.source.git.commit": origin.git_commit,
        }
        tags |= {name: value for name, value in known.items() if value}
    return tags


def version_tags(card: ModelCard, ledger_id: str | None) -> dict[str, str]:
    """The tags of a version: up to where in which ledger it has learned, until a move is tagged."""
    tags = {"family": card.family, "trained_for": card.alias, POSITION_TAG: str(card.source.through_position)}
    return tags if ledger_id is None else {**tags, LEDGER_TAG: ledger_id}


def policy_text(of: Family) -> str:
    """What a registered model is for."""
    policy = next(policy for policy, family in FAMILY_OF_POLICY.items() if family == of)
    return f"Predicts a player's next move in Rock-Paper-Scissors; the policy `{policy}` plays by it."


def version_text(card: ModelCard, origin: Origin | None, ledger_id: str | None) -> str:
    """What a version learned from, how well it predicts, and whether its graph says what its estimator says."""
    return "\n".join(_lines(card, origin, ledger_id))


def _lines(card: ModelCard, origin: Origin | None, ledger_id: str | None) -> Iterator[str]:
    source = card.source
    ledger = f"ledger `{ledger_id}`" if ledger_id else "the ledger"
    yield f"**{card.family}**, trained for **{card.alias}**{_when(origin)}."
    yield ""
    yield f"**Learned from** {source.rows:,} rounds of {source.games:,} games: those of {ledger} after position"
    yield f"{source.after_position:,} up to {source.through_position:,}. SHA-256 of the rows:"
    yield f"`{source.rows_digest}`. Of the bots' games one in {source.legacy_stride} is taken."
    yield ""
    parts = {"training": card.training, "validation": card.validation, "hold-out": card.holdout}
    yield from _table("part", parts)
    if card.by_opponent:
        yield ""
        yield from _table("hold-out against", card.by_opponent)
    if card.rehearsal:
        yield ""
        yield from _table("in games of its own against", card.rehearsal)
    if card.difference_max is not None:
        yield ""
        yield f"**Parity.** On the hold-out rounds the graph is within {card.difference_max:.1e} of the estimator."
    yield ""
    yield f"Code `{card.code_version}`; graph SHA-256 `{card.onnx_digest}`."


def _when(origin: Origin | None) -> str:
    if origin is None:
        return ""
    began = datetime.fromtimestamp(origin.began_ms / 1_000, UTC)
    by = f" by `{origin.trainer}`" if origin.trainer else ""
    return f"{by} on {began:%Y-%m-%d %H:%M} UTC"


def _table(what: str, scores: Mapping[str, Score]) -> Iterator[str]:
    yield f"| {what} | rounds | right |"
    yield "|---|---|---|"
    for name, score in scores.items():
        right = "n/a" if score.accuracy is None else f"{score.accuracy:.1%}"
        yield f"| {name} | {score.rows:,} | {right} |"
