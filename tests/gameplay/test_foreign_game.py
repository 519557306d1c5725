"""The program of docs/notebooks.md that writes a whole game beside a service."""

import re
import subprocess
import sys
from pathlib import Path

from starlette.testclient import TestClient

from gameplay.config import Settings
from projections.audit.recount import Span, recount
from tests.gameplay.web_clients import samples, service_behind

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "notebooks.md").read_text("utf-8")
(PROGRAM,) = (one for one in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "ledger.open(url)" in one)
GAMES = 'rps_model_games_by_alias_total{alias="B",model="xgboost"}'
SINCE = 'rps_model_games_since_production_swap{alias="B",model="xgboost"}'


def test_a_game_of_another_program_counts_like_any(served: TestClient, settings: Settings) -> None:
    before = samples(served)
    command = [sys.executable, "-c", PROGRAM, settings.database_url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("Receipt("), done.stderr

    after = samples(served)
    assert after[GAMES] - before[GAMES] == after[SINCE] - before[SINCE] == 1
    predictions = 'rps_model_predictions_by_alias_total{alias="shadow2",model="xgboost"}'
    assert after[predictions] > before[predictions]
    ledger = service_behind(served).core.ledger
    found = recount(ledger, [Span("xgboost", 0, ledger.head().position)])
    assert found.problems == []
    assert found.counts[Span("xgboost", 0, ledger.head().position)].tallies["B"].games == 1
