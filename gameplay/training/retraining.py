"""New versions for the aliases, from the games since: which are due, their training, and the aliases' move.

Where nothing has been learned yet nothing is retrained: a family gets its first versions from the set-up.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

from gameplay.config import Settings
from gameplay.core import Core
from gameplay.promotion.pins import holding_at
from gameplay.promotion.planning import assign
from gameplay.refusals import Conflict, Unavailable
from gameplay.training.code_version import require_libraries
from gameplay.training.dataset import Dataset, read_dataset
from gameplay.training.fit import Job, train_all
from gameplay.training.landing import Landing, ends_between_versions
from gameplay.training.recovery import recover
from gameplay.training.runs import Run, runs_of
from ledger.events import TrainingCompleted
from ledger.store import Ledger
from ledger.vocabulary import Alias, Family
from projections.decision.pins import held
from projections.read_models.standings import PromotionState

log = logging.getLogger(__name__)

FOLDS = 5

# A serving process looks once a second for trained versions and loads them. Given this long it has them in
# memory when the aliases move, and no game is played by a fallback.
NOTICE_SECONDS = 2.5

Track = Callable[[Iterable[TrainingCompleted], str, int], Iterable[TrainingCompleted]]
"""Passes the finished runs on while it shows how far they are: (runs, what they are, how many)."""


class Candidate(NamedTuple):
    """An alias that may get a new version; `reason` says why it gets none now, and is None when one is due."""

    family: Family
    alias: Alias
    version: int
    new_rows: int
    reason: str | None


class _Learned(NamedTuple):
    """Up to which position a version has learned, and from how many rows."""

    through_position: int
    rows: int


@dataclass
class Retrained:
    """What became of a candidate: no run, or a run and whether its version is behind the alias now."""

    candidate: Candidate
    event: TrainingCompleted | None = None
    placed: bool = False
    problem: str | None = None

    @property
    def failed(self) -> bool:
        """Whether a run was due and the alias has no new version all the same."""
        return self.candidate.reason is None and not self.placed


def read_training_data(
    ledger: Ledger,
    settings: Settings,
    *,
    limit_games: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Dataset:
    """The rows that the settings allow, from the whole ledger; of the first `limit_games` games only, if given."""
    return read_dataset(
        ledger,
        since_us=settings.training_since_us,
        legacy_stride=settings.training_legacy_stride,
        limit_games=limit_games,
        progress=progress,
    )


def candidates(
    core: Core, dataset: Dataset, families: Sequence[Family], aliases: Sequence[Alias], *, force: bool
) -> list[Candidate]:
    """Each alias with what there is to learn for it. Raises Conflict while a family has no aliases.

    `force` trains although there are too few rows, but no alias that RPS_TRAIN_ALIASES leaves out or that is
    pinned, and not while a plan is open: the versions would find no place, and the next run would register as
    many again.
    """
    found = []
    for family in families:
        state, runs = core.promotion.state(family), runs_of(core.ledger, family)
        assignment, blocked = state.assignment(), _open_plan(state.promotion)
        pinned = {alias: held(alias, pin) for alias, pin in holding_at(state).items()}
        for alias in aliases:
            version: int = getattr(assignment, alias)
            learned = _learned(runs.get(version))
            new_rows = dataset.rows_after(learned.through_position)
            too_few = None if force else _too_few(core.settings, len(dataset.rows), new_rows, learned.rows)
            reason = blocked or _left_out(core.settings, alias) or pinned.get(alias) or too_few
            found.append(Candidate(family, alias, version, new_rows, reason))
    return found


def retrain(
    core: Core,
    dataset: Dataset,
    chosen: Sequence[Candidate],
    *,
    source: str,
    track: Track,
    folds: int = FOLDS,
    notice_seconds: float = NOTICE_SECONDS,
) -> list[Retrained]:
    """Train a version for each candidate that is due, record every run, and move the aliases to the good ones.

    A family's aliases move together, by one plan. A version to which its alias cannot be moved now stays
    registered, and its outcome says why.
    """
    outcomes = {(one.family, one.alias): Retrained(one) for one in chosen}
    jobs = [Job(one.family, one.alias, dataset) for one in chosen if one.reason is None]
    if jobs:
        require_libraries()
        recover(core, dict.fromkeys(one.family for one in jobs))
    landing = Landing()
    training = train_all(
        jobs,
        core.registry,
        core.store,
        source=source,
        record=core.ledger.record,
        known=core.promotion.known_run,
        masked=core.settings.masking(),
        landing=landing,
        folds=folds,
    )
    with ends_between_versions(landing), closing(training) as runs:
        for event in track(runs, "Training", len(jobs)):
            assert event.alias is not None
            outcome = outcomes[event.model_type, event.alias]
            outcome.event, outcome.problem = event, event.error
    if any(outcome.event and outcome.event.model_version for outcome in outcomes.values()):
        time.sleep(notice_seconds)
    for family in dict.fromkeys(one.family for one in chosen):
        _place(core, family, [outcome for outcome in outcomes.values() if outcome.candidate.family == family])
    return list(outcomes.values())


def _place(core: Core, family: Family, outcomes: Sequence[Retrained]) -> None:
    trained: dict[Alias, int] = {}
    for outcome in outcomes:
        if outcome.event is not None and outcome.event.model_version is not None:
            trained[outcome.candidate.alias] = outcome.event.model_version
    if not trained:
        return
    problem: str | None = None
    pinned: frozenset[Alias] = frozenset()
    try:
        completed, pinned = assign(core.promotion, family, trained, cause="training")
        if not completed:
            problem = "the plan stays open: the next cycle or start completes it"
    except (Conflict, Unavailable) as refusal:
        problem = str(refusal)
    if problem:
        log.warning("%s: new versions are registered, but behind no alias: %s", family, problem)
    for outcome in outcomes:
        alias = outcome.candidate.alias
        if alias in trained:
            kept = f"{alias} was pinned while it was trained" if alias in pinned else problem
            outcome.placed, outcome.problem = kept is None, kept


def _open_plan(promotion_state: PromotionState) -> str | None:
    if promotion_state.plan is None:
        return None
    return f"a plan is open ({promotion_state.plan.version}): the next cycle or start completes it"


def _left_out(settings: Settings, alias: Alias) -> str | None:
    return None if alias in settings.train_aliases else "RPS_TRAIN_ALIASES leaves it to the promotion"


def _too_few(settings: Settings, rows: int, new_rows: int, rows_before: int) -> str | None:
    if rows < settings.training_minimum_rows:
        return f"{rows} rows, {settings.training_minimum_rows} needed"
    if new_rows < settings.training_minimum_new_rows:
        return f"{new_rows} new rows, {settings.training_minimum_new_rows} needed"
    if rows < rows_before:
        # The settings leave out more than they did, and that outweighs what is new.
        return f"{rows} rows, and the present version learned from {rows_before}"
    return None


def _learned(run: Run | None) -> _Learned:
    """Of a version that was trained elsewhere it is not known what it has learned from."""
    return _Learned(run.event.through_position or 0, run.event.rows or 0) if run else _Learned(0, 0)
