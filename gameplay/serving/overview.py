"""The twelve versions at a glance: how good they were in training, how good they are now, how old they are."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from gameplay.core import Core
from gameplay.models.artifacts import ModelCard, Score
from gameplay.models.errors import ModelUnavailable, RegistryError, StoreError
from gameplay.promotion.adoption import difference
from gameplay.training.runs import runs_of
from ledger.vocabulary import ALIASES, FAMILIES, Alias, Family


class Shown(NamedTuple):
    """The version behind an alias; None where something is not known.

    `live` are its predictions in games of its own family since the last swap. `source` says where a start would
    load it from: `minio` (the model store), or `mlflow`. `trained_by` is who asked for its training. `run_id` is
    the run that the ledger knows behind the version.
    """

    family: Family
    alias: Alias
    version: int
    live: Score
    holdout_accuracy: float | None
    training_accuracy: float | None
    age_seconds: float | None
    source: str
    trained_by: str | None
    run_id: str | None


def overview(core: Core, *, clock: Callable[[], float] = time.time) -> list[Shown]:
    """Every alias that has a version, in the order of families and aliases."""
    shown = []
    for family in FAMILIES:
        promotion_state = core.promotion.state(family).promotion
        runs, kept = runs_of(core.ledger, family), _kept(core, family)
        for alias in ALIASES:
            version = promotion_state.aliases.get(alias)
            if version is None:
                continue
            record, run = promotion_state.record(version), runs.get(version)
            shown.append(
                Shown(
                    family=family,
                    alias=alias,
                    version=version,
                    live=Score(record.correct, record.predictions),
                    holdout_accuracy=run.event.holdout_accuracy if run else None,
                    training_accuracy=run.event.training_accuracy if run else None,
                    age_seconds=clock() - run.recorded_us / 1_000_000 if run else None,
                    source="minio" if version in kept else "mlflow",
                    trained_by=run.event.source if run else None,
                    run_id=promotion_state.runs.get(version),
                )
            )
    return shown


class Mismatches(NamedTuple):
    """Where the registry is not as the ledger says, and why it was not asked for more; None if it answered."""

    found: dict[Family, str]
    unreachable: str | None


def mismatches(core: Core) -> Mismatches:
    """The families whose aliases in the registry could not be adopted; a registry that is away is asked once."""
    found: dict[Family, str] = {}
    for family in FAMILIES:
        try:
            problem = difference(core.promotion, family)
        except RegistryError as error:
            return Mismatches(found, str(error))
        if problem:
            found[family] = problem
    return Mismatches(found, None)


def cards(core: Core, shown: list[Shown]) -> dict[tuple[Family, int], ModelCard]:
    """The card of each version that can be loaded."""
    found = {}
    for family, version in {(one.family, one.version) for one in shown}:
        try:
            core.models.load(family, version)
        except ModelUnavailable:
            continue  # it is shown without
        if card := core.models.card(family, version):
            found[family, version] = card
    return found


def _kept(core: Core, family: Family) -> Mapping[int, str]:
    try:
        return core.store.versions(family)
    except StoreError:
        return {}  # then a start would take them from MLflow
