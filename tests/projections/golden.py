"""The states that a fixed history folds to: `golden_states.json`, one entry a projection with its version.

After a fold or a state has changed, raise the projection's version and run `python -m tests.projections.golden`.
It refuses to put another state under a version that the file has already: a snapshot out there holds that version.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypedDict

import msgspec
from sqlalchemy import Engine

from ledger import schema as log
from ledger.codec import Codec
from ledger.engines.database import open_engine
from ledger.events import Event
from ledger.reported import Report
from ledger.store import Ledger
from ledger.streams import stream_of
from projections import schema as read_models
from projections.read_models import history
from projections.read_models.all import ReadModels
from tests import builders
from tests.projections.stories import Clock, append, caught_up, table_rows

FILE = Path(__file__).parent / "golden_states.json"
REORDERED = builders.assignments((2, 1, 3, 4), (2, 3, 1, 4))


class Golden(TypedDict):
    version: int
    settings: str
    state: Any


class Goldens(TypedDict):
    history_sha256: str
    projections: dict[str, Golden]


def golden_history() -> tuple[Event, ...]:
    """A bit of everything: a swap, a reorder, a report, an open plan, games before, across and after the swap."""
    across = {"game_id": "across", "alias": "B", "model_version": 2}
    after = {"game_id": "after", "swap_count": 1, "model_version": 2}
    scripted = {"game_id": "s", "policy": "gus", "model_type": "scripted", "alias": None, "model_version": None}
    xgboost = {"model_type": "xgboost"}
    return (
        builders.aliases_assigned(),
        builders.aliases_assigned(**xgboost),
        *builders.one_of_each()[:5],
        builders.game_started(**across),
        builders.prediction_made(game_id="across", alias="B", model_version=2, correct=False),
        builders.round_played(**across, result="draw", probability_source="opening"),
        builders.training_completed(model_version=4, holdout_accuracy=0.39),
        builders.training_completed(model_version=5, holdout_accuracy=0.41, duration_seconds=12.5),
        builders.training_completed(
            **xgboost, status="failure", model_version=None, holdout_accuracy=None, error="no rows"
        ),
        builders.cycle_decided(
            **xgboost, decision="insufficient_data", z_statistic=None, p_value=None, ranking=()
        ),
        builders.cycle_decided(tickers=builders.tickers(0, 0, 0)),
        builders.aliases_planned(),
        builders.aliases_assigned(
            cause="promotion", cycle=1, plan=3, swapped=True, assignments=builders.aliases_planned().assignments
        ),
        builders.round_played(**across, round=2, result="lose"),
        builders.game_finished(**across, winner="bot"),
        builders.game_started(**after),
        builders.prediction_made(game_id="after", model_version=2),
        builders.prediction_made(game_id="after", alias="shadow1", model_version=3, served=False),
        builders.round_played(**after_round(after)),
        builders.game_finished(**after, winner="tie"),
        builders.game_started(**scripted, assignment=None),
        builders.round_played(**scripted, probability_source="scripted"),
        builders.game_abandoned(**scripted),
        builders.game_started(game_id="test", in_metrics=False),
        builders.round_played(game_id="test", in_metrics=False),
        builders.game_started(game_id="open", swap_count=1, model_version=2),
        builders.fell_back(game_id="open", reason="load_error", alias="B"),
        builders.cycle_decided(
            cycle=2, decision="retain_production", reordered=True, z_statistic=0.5, p_value=0.3
        ),
        builders.aliases_planned(cycle=2, swapped=False, reordered=True, assignments=REORDERED),
        builders.aliases_assigned(
            cause="promotion", cycle=2, plan=6, reordered=True, assignments=REORDERED
        ),
        builders.cycle_decided(
            **xgboost, cycle=2, trigger="report", decision="alias_reorder", rule=None, evidence=None, ranking=(),
            reason_code="reported", reordered=True, report=builders.report(),
        ),
        builders.aliases_assigned(
            **xgboost, cause="report", cycle=2, reordered=True,
            assignments=builders.assignments((1, 2, 3, 4), (1, 3, 2, 4)),
        ),
        builders.aliases_assigned(
            **xgboost, cause="registry", swapped=True,
            assignments=builders.assignments((1, 3, 2, 4), (3, 1, 2, 4)),
        ),
        builders.cycle_decided(
            model_type="multinomial_logistic", trigger="report", rule=None, evidence=None, ranking=(),
            report=Report(body_sha256="0"),
        ),
        builders.aliases_planned(cause="training", cycle=None, swapped=False, assignments=REORDERED),
        builders.rule_set(),
        builders.game_started(game_id="settling", swap_count=1, model_version=2),
        builders.alias_pinned(expires_us=1_760_083_199_000_000),
        builders.alias_pinned(**xgboost, alias="Production", version=3),
        builders.alias_unpinned(),
        builders.plan_approved(plan=7),
        builders.plan_rejected(**xgboost),
        builders.models_reloaded(),
        builders.parity_checked(**xgboost, version=3),
        builders.parity_checked(held_out=None, metric=None, differences=2),
        builders.ledger_accepted(),
        builders.clock_accepted(),
        builders.cross_family_set(),
    )  # fmt: skip


def after_round(game: Mapping[str, object]) -> dict[str, object]:
    """A game's labels as far as a round has them."""
    return {name: value for name, value in game.items() if name != "swap_count"}


def golden_states(engine: Engine) -> Goldens:
    """What the present folds make of the fixed history, in a database of its own."""
    ledger = Ledger(engine, clock=Clock())
    append(ledger, *golden_history())
    read_models = caught_up(ledger)
    projections = {name: Golden(**golden) for name, golden in _states(read_models).items()}
    projections[history.NAME] = Golden(version=history.VERSION, settings="", state=_rows(engine))
    return Goldens(history_sha256=_history_sha256(), projections=projections)


def stored() -> Goldens:
    goldens: Goldens = json.loads(FILE.read_text("utf-8"))
    return goldens


def _states(read_models: ReadModels) -> dict[str, Golden]:
    return {
        one.projection.name: Golden(
            version=one.projection.version,
            settings=one.projection.settings,
            state=_readable(msgspec.to_builtins(one.state)),
        )
        for one in read_models.tracked
    }


def _rows(engine: Engine) -> list[dict[str, Any]]:
    return [{**row, "detail": json.loads(row["detail"])} for row in table_rows(engine)]


def _readable(value: Any) -> Any:
    """As JSON has it: a key is a text, so a tuple of labels becomes one."""
    if isinstance(value, dict):
        return {
            "/".join(key) if isinstance(key, tuple) else str(key): _readable(inner) for key, inner in value.items()
        }
    return [_readable(inner) for inner in value] if isinstance(value, list | tuple) else value


def _history_sha256() -> str:
    """Of the events' bytes, so that a state may differ only if the history does."""
    encode = Codec().encode
    recorded = [(stream_of(event), *encode(event)) for event in golden_history()]
    return hashlib.sha256(repr(recorded).encode()).hexdigest()


def main() -> None:
    with TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'ledger.db'}")
        log.metadata.create_all(engine)
        read_models.metadata.create_all(engine)
        new = golden_states(engine)
        engine.dispose()
    old = stored() if FILE.exists() else None
    if old and old["history_sha256"] == new["history_sha256"]:
        for name, golden in new["projections"].items():
            before = old["projections"].get(name)
            if before and before["version"] == golden["version"] and before != golden:
                sys.exit(f"{name} folds to another state under version {golden['version']}: raise it first")
    FILE.write_text(json.dumps(new, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
