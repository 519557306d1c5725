"""All four aliases of a family for one round, by the models that a set-up trains."""

import random
from functools import partial
from pathlib import Path

import numpy as np

from bench.folders import small_folder
from bench.ledgers import ASSIGNMENT
from bench.scenario import Outcome, compare, cpu_seconds
from gameplay.config import Settings
from gameplay.core import open_core
from gameplay.game.features import features
from gameplay.game.rounds import past_rounds
from gameplay.game.rules import round_points
from gameplay.models.graph import Rows
from ledger.vocabulary import FAMILIES, MOVES, Family

LIMIT_SECONDS = 100e-6
PREDICTIONS = 2_000


def predictions(folder: Path, family: Family) -> Outcome:
    """`Models.predict`, from a row of features to four checked predictions, against a tenth of a millisecond."""
    core = open_core(Settings(data_dir=small_folder(folder)))
    try:
        for version in (ASSIGNMENT.Production, ASSIGNMENT.B, ASSIGNMENT.shadow1, ASSIGNMENT.shadow2):
            core.models.load(family, version)
        rows = _rows()
        assert all(one.source == "model" for row in rows for one in core.models.predict(family, ASSIGNMENT, row))
        rounds = PREDICTIONS // len(rows)

        def all_rows() -> None:
            for row in rows:
                core.models.predict(family, ASSIGNMENT, row)

        return compare(
            f"four predictions, {family}",
            lambda: cpu_seconds(all_rows, calls=rounds) / len(rows),
            lambda: LIMIT_SECONDS,
            wanted="at most",
            target=0.8,
            unit="us",
            scale=1e6,
        )
    finally:
        core.close()


SCENARIOS = {f"models-{family}": partial(predictions, family=family) for family in FAMILIES}


def _rows(count: int = 20) -> list[Rows]:
    """What models see in the middle of games of no pattern."""
    rng = random.Random(1)
    rows = []
    for number in range(count):
        game_id = f"bench-{number}"
        past = past_rounds([(rng.choice(MOVES), rng.choice(MOVES)) for _ in range(5)], game_id)
        row: Rows = features(past, round_points(game_id, len(past) + 1))
        assert row.dtype == np.float32
        rows.append(row)
    return rows
