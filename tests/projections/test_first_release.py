"""A ledger as the first release wrote it, with the states that it folded: they are in the states of today."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from ledger.store import Ledger
from ledger.verification.transfer import import_lines
from projections.audit.replay import Replay, flatten

HERE = Path(__file__).parent
LINES = HERE / "first_release.jsonl"
STATES: dict[str, Any] = json.loads((HERE / "first_release_states.json").read_text("utf-8"))


def replayed(engine: Engine) -> Replay:
    with LINES.open("rb") as lines:
        import_lines(Ledger(engine), lines)
    ledger = Ledger(engine)
    replay = Replay(ledger)
    replay.advance(ledger.head().position)
    return replay


def test_what_the_first_release_folded_is_folded_alike(engine: Engine) -> None:
    """A later release may add to a state; what was in it keeps its name and its value."""
    now = json.loads(json.dumps(replayed(engine).plain()))

    for name in ("counters", "tickers", "standings", "promotion_history"):
        then, found = flatten(STATES[name]), flatten(now[name])
        assert len(then) > 20
        assert {path: found.get(path, "(absent)") for path in then} == then


def test_the_same_games_are_open(engine: Engine) -> None:
    """How they are kept has changed since."""
    found = replayed(engine).read_models.open_games.state

    assert sorted(found.games) == STATES["open_games"]
    assert found.active() == STATES["active_games"] > 0
