import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.observability.process_series import STATUS_CLASSES
from gameplay.web.app import CALLS, create_app
from gameplay.web.http_metrics import OTHER
from ledger.vocabulary import FAMILIES
from projections.metrics.series import LEDGER_SERIES
from projections.projector import Projector
from tests.builders import game_finished
from tests.gameplay.conftest import Serve
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import (
    ok,
    play_on,
    samples,
    service_behind,
    start,
    wait_until,
)
from tests.patience import PATIENCE_SECONDS

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
NO_VALUE_YET = (
    "z_statistic",
    "p_value",
    "_timestamp_",
    "alias_rank",
    "e_value",
    "games_needed",
    "rule_verdict",
    "_held",
    "parity_differences",
    "accuracy_vs_bot",
)
PROCESS_SERIES = {
    "rps_build_info",
    "rps_http_requests_total",
    "rps_http_request_duration_seconds_count",
    "rps_job_failures_total",
    "rps_models_loaded",
    "process_cpu_seconds_total",
    "python_info",
}


def names(body: str) -> set[str]:
    return {line.partition("{")[0].partition(" ")[0] for line in body.splitlines() if not line.startswith("#")}


def test_the_root_says_what_this_is(serve: Serve, settings: Settings) -> None:
    url = "https://grafana.example/d/rps"
    changed = Settings(data_dir=settings.data_dir, promotion_schedule=None, grafana_dashboard_url=url)
    with serve(changed) as client:
        answer = ok(client.get("/"))

        assert answer.keys() >= {"service", "version", "links", "grafana_dashboard_url"}
        assert answer["grafana_dashboard_url"] == url
        assert all(client.get(path).status_code == 200 for path in answer["links"].values())


def test_a_process_that_serves_is_healthy(served: TestClient) -> None:
    answer = ok(served.get("/healthz"))

    assert answer["ok"] is True
    assert answer["uptime_seconds"] >= 0


def test_a_service_is_ready_when_nothing_is_missing(served: TestClient) -> None:
    assert ok(served.get("/readyz")) == {"ready": True, "missing": [], "registry_mismatches": {}}


def test_a_family_without_aliases_is_missing(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path, promotion_schedule=None), registry=FaultyRegistry())
    with TestClient(app) as client:
        wait_until(lambda: service_behind(client).has_jobs)
        answer = client.get("/readyz")

        assert answer.status_code == 503
        assert answer.json()["ready"] is False
        assert answer.json()["missing"] == [f"{family}: no aliases yet" for family in FAMILIES]
        assert ok(client.get("/healthz"))["ok"] is True


def test_a_version_that_is_not_loaded_is_missing(data_dir: Path) -> None:
    (data_dir / "models" / "rps_bot_xgboost" / "versions" / "3").unlink()
    app = create_app(Settings(data_dir=data_dir, promotion_schedule=None), registry=FaultyRegistry())
    with TestClient(app) as client:
        wait_until(lambda: len(service_behind(client).core.models.sources()) == 11)

        wait_until(lambda: "never registered" in client.get("/readyz").text)
        (missing,) = client.get("/readyz").json()["missing"]
        assert missing.startswith("xgboost: version 3 is not loaded: the model store has no version 3")


def test_nothing_half_folded_is_shown_before_the_head_is_reached(
    settings: Settings, registry: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    replay = Projector.start

    def late(projector: Projector) -> None:
        release.wait(PATIENCE_SECONDS)
        replay(projector)

    monkeypatch.setattr(Projector, "start", late)
    with TestClient(create_app(settings, registry=registry)) as client:
        for path in ("/metrics", "/metrics?scope=ledger", "/models"):
            response = client.get(path)
            assert response.status_code == 503
            assert "replaying" in response.json()["detail"]
            assert response.headers["retry-after"] == "1"
        assert client.post("/start_game", json={"policy": "brian"}).status_code == 503
        assert client.get("/readyz").json()["missing"] == ["projections: replaying the ledger"]
        assert client.get("/healthz").status_code == 200
        assert client.get("/metrics?scope=process").status_code == 200
        release.set()
        wait_until(lambda: client.get("/readyz").status_code == 200)
        assert client.get("/metrics").status_code == 200


def test_an_event_that_cannot_be_folded_stops_the_projections_loudly(
    served: TestClient, settings: Settings, registry: FaultyRegistry
) -> None:
    position = (
        service_behind(served).core.ledger.append("game-odd", [game_finished(game_id="odd")], 0).first_position
    )

    for path in ("/metrics", "/internal/promotion/history", "/models"):
        response = served.get(path)
        assert response.status_code == 503
        assert f"position {position}" in response.json()["detail"]
    assert f"position {position}" in served.get("/readyz").json()["missing"][0]
    assert served.get("/healthz").status_code == 200

    with TestClient(create_app(settings, registry=registry)) as restarted:
        wait_until(lambda: service_behind(restarted).core.read_models.projector.failure is not None)
        assert f"position {position}" in restarted.get("/readyz").json()["missing"][0]


@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
def test_metrics_are_exactly_200(served: TestClient, path: str) -> None:
    response = served.get(path, follow_redirects=False)

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    assert served.head(path, follow_redirects=False).status_code == 200
    assert served.head(path).content == b""


def test_metrics_are_what_the_scraper_asks_for(served: TestClient) -> None:
    plain = served.get("/metrics", headers={"Accept": "text/plain"})
    assert {family.name for family in text_string_to_metric_families(plain.text)} >= {
        "rps_active_games",
        "rps_build_info",
    }

    modern = served.get("/metrics", headers={"Accept": OPENMETRICS})
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.text.endswith("# EOF\n")
    assert modern.text.count("# EOF") == 1
    parse = openmetrics_parser.text_string_to_metric_families
    families: dict[str, Metric] = {family.name: family for family in parse(modern.text)}  # type: ignore[no-untyped-call]
    assert families["rps_games"].type == "counter"
    assert families["rps_training_duration_seconds"].type == "histogram"


def test_metrics_are_packed_when_asked(served: TestClient) -> None:
    packed = served.get("/metrics", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "rps_active_games 0.0" in packed.text

    plain = served.get("/metrics", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers


def test_the_scopes_share_nothing_and_are_everything(served: TestClient) -> None:
    # A job has no last run before its first, and then every later scrape has a series more.
    wait_until(lambda: "rps_job_last_run_timestamp_seconds" in names(served.get("/metrics?scope=process").text))

    ledger, process, both = (
        names(served.get("/metrics", params=params).text)
        for params in ({"scope": "ledger"}, {"scope": "process"}, {})
    )

    assert ledger & process == set()
    assert ledger | process == both
    assert process >= PROCESS_SERIES
    for series in LEDGER_SERIES:
        known = series.name if series.kind != "histogram" else f"{series.name}_bucket"
        absent = any(word in known for word in NO_VALUE_YET)
        assert (known in ledger) is not absent, known


def test_every_known_combination_is_born_at_zero(served: TestClient) -> None:
    shown = samples(served)

    assert shown['rps_games_total{difficulty="standard",policy="brian"}'] == 0
    assert shown['rps_model_fallback_total{alias="shadow2",model_type="xgboost",reason="minio_miss"}'] == 0
    assert shown['rps_model_promotion_events_total{decision="alias_reorder",model="xgboost"}'] == 0
    assert shown['rps_action_wins_total{difficulty="standard",model_type="scripted",policy="hal"}'] == 0
    assert 'rps_action_wins_total{difficulty="standard",model_type="xgboost",policy="hal"}' not in shown
    assert not any(value != value for value in shown.values())


def test_no_game_creates_a_ledger_series(served: TestClient) -> None:
    before = samples(served).keys()

    for policy in ("brian", "forrest", "logan", "gus"):
        play_on(served, start(served, policy, player_name="x" * 50)["game_id"])

    assert samples(served).keys() == before


def http_requests(client: TestClient) -> dict[tuple[str, str, str], float]:
    """(method, route, status) -> how many."""
    found = {}
    for name, value in samples(client, "process").items():
        if name.startswith("rps_http_requests_total"):
            pairs = name.partition("{")[2].removesuffix("}").split(",")
            labels = {label: text.strip('"') for label, text in (pair.split("=", 1) for pair in pairs)}
            found[labels["method"], labels["route"], labels["status"]] = value
    return found


def test_every_series_of_requests_is_born_at_zero(served: TestClient) -> None:
    shown = http_requests(served)

    for call in CALLS:
        for status in STATUS_CLASSES:
            assert shown.get((call.method, call.path, status)) is not None
    assert shown["POST", "/play", "5xx"] == shown[OTHER, OTHER, "4xx"] == shown["POST", "/play", "2xx"] == 0
    assert samples(served, "process")['rps_http_request_duration_seconds_count{route="/play"}'] == 0


def test_no_request_makes_a_series(served: TestClient) -> None:
    before = http_requests(served)
    paths = (
        "/nowhere/1",
        "/nowhere/2",
        "/start_game",
        "/start_game/",
        "/models/reload/x/y",
        "/%00",
        "/metrics?scope=x",
    )

    for path in paths:
        for method in ("GET", "POST", "HEAD", "OPTIONS", "BREW", "get"):
            served.request(method, path)

    shown = http_requests(served)
    made = {labels: shown[labels] - before[labels] for labels in before if shown[labels] != before[labels]}
    assert shown.keys() == before.keys()
    assert made[OTHER, OTHER, "4xx"] == 3 * 6
    assert made["POST", "/start_game", "4xx"] == 2
    assert made[OTHER, "/start_game", "4xx"] == 2 * 5
    assert made["POST", "/models/reload/{model_type}/{alias}", "4xx"] == 1


@examples(max_examples=20)
@given(accept=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_any_accept_header_gets_metrics(shared: TestClient, accept: str) -> None:
    for asked in (accept, f"application/openmetrics-text;{accept}", f"text/plain;version={accept}"):
        response = shared.get("/metrics", headers={"Accept": asked.strip()})

        assert response.status_code == 200
