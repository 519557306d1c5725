"""The first start: let bots play, train the twelve versions on their games, and give every alias its version.

It may be interrupted anywhere and run again: what is done is found in the ledger and in the registry.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import TypeVar

from gameplay.core import Core
from gameplay.models.errors import TrainingError
from gameplay.promotion.adoption import adopt, bootstrap
from gameplay.training.bot_games import play_bot_games
from gameplay.training.code_version import require_libraries
from gameplay.training.fit import Job, train_all
from gameplay.training.landing import Landing, ends_between_versions
from gameplay.training.recovery import recover
from gameplay.training.retraining import read_training_data
from ledger.events import Assignment, TrainingCompleted
from ledger.vocabulary import ALIASES, FAMILIES, Alias, Family
from projections.errors import ProjectionError

FIRST_GAMES = 5_000
EARLY_GAMES = 25
SOURCE = "setup"

Step = TypeVar("Step")
Track = Callable[[Iterable[Step], str, int], Iterable[Step]]
"""Passes the steps on while it shows how far they are: (steps, what they are, how many)."""


def is_set_up(core: Core) -> bool:
    """Whether every family has its aliases; an event that cannot be folded is the service's to show."""
    try:
        core.read_models.projector.start()
    except ProjectionError:
        return True
    return not _families_without_aliases(core)


def set_up(
    core: Core,
    track: "Track[int | TrainingCompleted]",
    *,
    games: int = FIRST_GAMES,
    early: Family | None = None,
    rng: random.Random | None = None,
) -> None:
    """Do whatever is missing until every family has its four versions behind its four aliases.

    The Production of the family `early` learns from EARLY_GAMES games only, so that a better B is there to be
    found. Raises TrainingError when a version could not be trained, RegistryError when the registry does not
    answer, IdentityError when its models are another ledger's.
    """
    core.read_models.projector.start()
    if _families_without_aliases(core):
        require_libraries()
    # The counters may leave games out (METRICS_SINCE_DATE); then more are played, which does no harm.
    missing_games = games - sum(core.read_models.counters.state.games.values())
    if len(_families_without_aliases(core)) == len(FAMILIES) and missing_games > 0:
        _play(core, track, missing_games, rng or random.Random())
    for family in _families_without_aliases(core):
        # A set-up that died between the registry and the ledger left only the adoption to do.
        adopt(core.promotion, family)
    if families := _families_without_aliases(core):
        versions = _train(core, track, families, early)
        for family in families:
            first = Assignment(**{alias: versions[family, alias] for alias in ALIASES})
            bootstrap(core.promotion, family, first)


def _play(core: Core, track: "Track[int | TrainingCompleted]", games: int, rng: random.Random) -> None:
    def one_by_one() -> Iterator[int]:
        written = 0
        for now in play_bot_games(core.ledger, games, rng):
            yield from range(written, now)
            written = now

    for _ in track(one_by_one(), "Bots play the first games", games):
        pass


def _train(
    core: Core, track: "Track[int | TrainingCompleted]", families: list[Family], early: Family | None
) -> dict[tuple[Family, Alias], int]:
    # As every later training reads them: what comes after must not begin with less than the first versions had.
    dataset = read_training_data(core.ledger, core.settings)
    first_games = read_training_data(core.ledger, core.settings, limit_games=EARLY_GAMES) if early else dataset
    jobs = [
        Job(family, alias, first_games if (family, alias) == (early, "Production") else dataset)
        for family in families
        for alias in ALIASES
    ]
    versions: dict[tuple[Family, Alias], int] = {}
    # Before the first version, which else would not name the ledger that it learned from.
    core.claim_registry()
    # The ledger is new: what the registry has beside these may be of one before it.
    recover(core, families, rows_digests={dataset.source.rows_digest, first_games.source.rows_digest})
    landing = Landing()
    training = train_all(
        jobs,
        core.registry,
        core.store,
        source=SOURCE,
        record=core.ledger.record,
        known=core.promotion.known_run,
        masked=core.settings.masking(),
        landing=landing,
    )
    with ends_between_versions(landing), closing(training) as trained:
        for event in track(trained, "Training the first models", len(jobs)):
            assert isinstance(event, TrainingCompleted)
            if event.model_version is None or event.alias is None:
                raise TrainingError(f"the first {event.alias} of {event.model_type} failed: {event.error}")
            versions[event.model_type, event.alias] = event.model_version
    return versions


def _families_without_aliases(core: Core) -> list[Family]:
    with core.read_models.projector.current():
        families = core.read_models.standings.state.families
        return [family for family in FAMILIES if families[family].assignment() is None]
