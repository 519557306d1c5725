"""Every line of PromQL and every command in the docs, run against the two servers."""

import re
import subprocess
from pathlib import Path

import pytest

from gameplay.observability.alerts.catalog import alerts
from gameplay.observability.dashboard.document import generated_dashboard
from gameplay.observability.dashboard.parts import panels
from gameplay.observability.dashboard.visuals import Json
from projections.metrics.series import LEDGER_SERIES, Series
from tests.patience import PATIENCE_SECONDS
from tests.programs import require
from tests.prometheus.conftest import Live
from tests.prometheus.facts import key
from tests.prometheus.test_expressions import BY_DIFFICULTY, VARIABLES

DOCS = Path(__file__).parents[2] / "docs"
METRICS, DASHBOARDS = ((DOCS / name).read_text() for name in ("metrics.md", "dashboards.md"))
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = ("curl", "promtool")


def lines(kind: str) -> list[str]:
    """The lines of the fenced blocks of a kind, in both files."""
    blocks = [body for text in (METRICS, DASHBOARDS) for info, body in FENCE.findall(text) if info == kind]
    return sorted({line for body in blocks for line in body.splitlines() if line})


def section(text: str, heading: str) -> str:
    """What stands between a heading of the third level and the next heading."""
    found = re.search(rf"^### {re.escape(heading)}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {heading}"
    return found[1]


@pytest.mark.parametrize("expression", lines("promql"))
def test_a_query_in_the_docs_finds_something(live: Live, expression: str) -> None:
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)

    assert live.query(expression) != {}


@pytest.mark.parametrize("line", [line for line in lines("sh") if line.startswith(COMMANDS)])
def test_a_command_in_the_docs_works(live: Live, line: str) -> None:
    assert run(live, line).strip() != ""


def test_both_tables_show_the_wins_by_policy_and_difficulty(live: Live) -> None:
    scraped, asked = (line for line in lines("sh") if "rps_game_wins_total" in line)
    wins = live.facts.tally(
        "game.finished", "policy", "difficulty", born=BY_DIFFICULTY, where=lambda p: p["winner"] == "bot"
    )

    rows = [row.split() for row in run(live, scraped).splitlines()]
    shown = re.findall(r'difficulty="(\w+)", policy="(\w+)"\} => (\d+)', run(live, asked))

    assert {key(policy=policy, difficulty=level): float(count) for policy, level, count in rows} == wins
    assert {key(policy=policy, difficulty=level): float(count) for level, policy, count in shown} == wins


def run(live: Live, line: str) -> str:
    require(line.partition(" ")[0])
    line = line.replace("http://127.0.0.1:8080", live.service).replace("http://127.0.0.1:9090", live.prometheus)
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail; {line}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("series", LEDGER_SERIES, ids=lambda series: series.name)
def test_every_series_is_documented(series: Series) -> None:
    text = section(METRICS, series.name)

    labels = f" by `{', '.join(series.labels)}`" if series.labels else ", no labels"
    assert text.strip().startswith(f"{series.kind.capitalize()}{labels}. {series.help}")
    assert series.name in text.partition("```promql\n")[2]


def test_every_series_of_the_process_is_documented(live: Live) -> None:
    scraped = run(live, "curl -sf 'http://127.0.0.1:8080/metrics?scope=process'")

    families = re.findall(r"^# TYPE (\w+) (\w+)$", scraped, re.MULTILINE)
    assert len(families) > 10
    for name, kind in families:
        text = section(METRICS, name)
        assert text.strip().startswith(kind.capitalize()), name
        sample = re.search(rf"^{name}(?:_bucket)?(?:\{{(.*?)\}})? ", scraped, re.MULTILINE)
        assert sample, name
        for label in re.findall(r'(\w+)="', sample[1] or ""):
            assert label == "le" or label in text, f"{name}: {label}"


def test_every_section_is_of_a_series_that_exists(live: Live) -> None:
    documented = re.findall(r"^### (\w+)$", METRICS, re.MULTILINE)
    scraped = run(live, "curl -sf http://127.0.0.1:8080/metrics")

    assert set(documented) == set(re.findall(r"^# TYPE (\w+) ", scraped, re.MULTILINE))


@pytest.mark.parametrize("panel", list(panels(generated_dashboard())), ids=lambda panel: str(panel["id"]))
def test_every_panel_is_documented(panel: Json) -> None:
    text = section(DASHBOARDS, f"{panel['id']} {panel['title']}")

    asks, _, wrong = panel["description"].partition("\n\nWhen it looks wrong: ")
    assert asks in text
    assert f"**When it looks wrong:** {wrong}" in text
    assert [one["expr"] for one in panel["targets"] if "expr" in one] == [
        line for _, body in FENCE.findall(text) for line in body.splitlines()
    ]


def test_every_alert_is_documented() -> None:
    for alert in alerts():
        text = section(DASHBOARDS, alert.title)
        for part in (alert.value, alert.gate, alert.description, f"`{alert.comparison} {alert.threshold}`"):
            assert part in text


def test_every_file_in_ops_is_documented() -> None:
    ops = DOCS.parent / "ops"

    for path in ops.iterdir():
        if not path.name.startswith("."):
            assert path.name in DASHBOARDS, path.name
