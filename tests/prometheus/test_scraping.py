"""`/metrics` as scrapers ask for it: formats, compression, methods, scopes."""

import gzip
import json
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from gameplay.observability.dashboard.document import generated_dashboard
from gameplay.observability.dashboard.history_query import LEDGER_COLUMNS, SWAP_COLUMNS, TOTALS_COLUMNS
from gameplay.observability.dashboard.lint import TOTALS_KEYS, findings, row_keys
from gameplay.observability.folder import current_dashboard
from projections.metrics.series import LEDGER_SERIES
from tests.patience import PATIENCE_SECONDS
from tests.prometheus.conftest import Live

OPS = Path(__file__).parents[2] / "ops"
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
TEXT, OPENMETRICS = "text/plain; version=0.0.4; charset=utf-8", "application/openmetrics-text; version=1.0.0"


class Answer(NamedTuple):
    status: int
    headers: Message
    body: bytes


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other."""

    def redirect_request(self, *_: object) -> None:
        return None


def ask(live: Live, path: str, method: str = "GET", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(live.service + path, headers=named, method=method)
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=PATIENCE_SECONDS) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
def test_both_spellings_answer_without_a_redirect(live: Live, path: str) -> None:
    answer = ask(live, path)

    assert (answer.status, answer.headers["Content-Type"]) == (200, TEXT)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", TEXT),
        ("text/plain;version=0.0.4", TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT),
        ("application/openmetrics-text;version=0.0.1,text/plain;version=0.0.4", TEXT),
        ("application/openmetrics-text;version=abc", TEXT),
        ("text/plain;version=1.0.0;escaping=allow-utf-8", "text/plain; version=1.0.0; charset=utf-8"),
        (PROMETHEUS_2, OPENMETRICS),
    ],
)
def test_the_format_is_the_one_that_is_asked_for(live: Live, accept: str, content_type: str) -> None:
    answer = ask(live, "/metrics", Accept=accept)

    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith(content_type)
    assert "Accept" in answer.headers["Vary"]
    parse = parse_openmetrics if content_type == OPENMETRICS else parse_text
    families = {family.name: family for family in parse(answer.body.decode())}
    assert len(families) > len(LEDGER_SERIES)
    assert (answer.body.endswith(b"# EOF\n")) == (content_type == OPENMETRICS)


@pytest.mark.parametrize("accept", ["text/plain", PROMETHEUS_2])
def test_no_counter_says_when_its_process_began(live: Live, accept: str) -> None:
    assert b"_created" not in ask(live, "/metrics", Accept=accept).body


def test_every_ledger_series_is_reported_once_with_its_kind_and_labels(live: Live) -> None:
    body = ask(live, "/metrics").body.decode()

    for series in LEDGER_SERIES:
        assert body.count(f"# TYPE {series.name} ") == 1
        assert f"# TYPE {series.name} {series.kind}\n" in body
    families = {family.name: family for family in parse_text(body)}
    for series in LEDGER_SERIES:
        name = series.name.removesuffix("_total") if series.kind == "counter" else series.name
        for sample in families[name].samples:
            assert set(sample.labels) - {"le"} == set(series.labels)


def test_it_is_packed_when_that_is_accepted(live: Live) -> None:
    packed = ask(live, "/metrics?scope=ledger", Accept_Encoding="gzip")
    plain = ask(live, "/metrics?scope=ledger")

    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Content-Encoding"] is None
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 4


def test_head_answers_with_headers_alone(live: Live) -> None:
    answer = ask(live, "/metrics", "HEAD")

    assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, TEXT, b"")


def test_other_methods_are_refused(live: Live) -> None:
    assert ask(live, "/metrics", "POST").status == 405


def test_the_scopes_share_nothing_and_together_are_all(live: Live) -> None:
    def families(path: str) -> list[str]:
        lines = ask(live, path).body.decode().splitlines()
        return [line.split()[2] for line in lines if line.startswith("# TYPE")]

    ledger, process, both = (families(f"/metrics{scope}") for scope in ("?scope=ledger", "?scope=process", ""))

    assert ledger == [series.name for series in LEDGER_SERIES]
    assert not set(ledger) & set(process)
    assert both == ledger + process
    assert ask(live, "/metrics?scope=all").status == 400


def test_the_columns_of_the_dashboard_are_keys_of_a_real_row(live: Live) -> None:
    rows = json.loads(ask(live, "/internal/promotion/history?limit=20").body)

    assert len(rows) == len(live.facts.all_of("promotion.cycle_decided"))
    assert {frozenset(row) for row in rows} == {row_keys()}
    for one in (generated_dashboard(), current_dashboard(OPS)):
        assert findings(one, rows[0].keys()) == []
    kinds = {"time": (str,), "string": (str,), "number": (int, float, type(None)), "boolean": (bool, type(None))}
    totals = json.loads(ask(live, "/internal/promotion/event_totals").body)
    assert {frozenset(row) for row in totals} == {TOTALS_KEYS}
    for columns, found in (((*LEDGER_COLUMNS, *SWAP_COLUMNS), rows), (TOTALS_COLUMNS, totals)):
        for column in columns:
            assert all(isinstance(row[column.key], kinds[column.type]) for row in found), column
