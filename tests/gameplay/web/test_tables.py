import csv
import io
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.web.app import create_app
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import BASE_URL, HISTORY_PATH, REPORT_PATH, history, ok, wait_until

REPORT = {"model_type": "xgboost", "decision": "insufficient_data", "reason": 'too few, "as yet"'}
TOTALS_PATH = "/internal/promotion/event_totals"


def reported(client: TestClient) -> int:
    return int(ok(client.post(REPORT_PATH, json=REPORT))["event_id"])


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def as_text(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, separators=(",", ":")) if isinstance(value, bool | list | dict) else str(value)


@pytest.mark.parametrize("path", [HISTORY_PATH, f"{HISTORY_PATH}?detail=1", TOTALS_PATH])
def test_csv_has_what_json_has(shared: TestClient, path: str) -> None:
    reported(shared)

    # A period ends at the second of its request: asked again in case that one passed in between.
    for _ in range(20):
        wanted = ok(shared.get(path))
        answer = shared.get(path, headers={"Accept": "text/csv, application/json;q=0.5"})
        if ok(shared.get(path)) == wanted:
            break

    assert answer.headers["content-type"].startswith("text/csv")
    assert "Accept" in answer.headers["vary"].split(", ")
    assert rows_of(answer.text) == [{name: as_text(one) for name, one in row.items()} for row in wanted]


@pytest.mark.parametrize(
    "accept", ["text/csv; charset=utf-8", 'text/csv;header=present;charset="UTF-8"', "TEXT/CSV"]
)
def test_a_parameter_of_csv_is_no_reason_to_get_json(shared: TestClient, accept: str) -> None:
    answer = shared.get(HISTORY_PATH, headers={"Accept": accept})

    assert answer.headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize("accept", ["text/html; charset=utf-8", "text/html;charset=UTF-8, application/json;q=0.9"])
def test_a_parameter_of_html_is_no_reason_to_get_json(shared: TestClient, accept: str) -> None:
    for path in ("/", "/nowhere"):
        assert shared.get(path, headers={"Accept": accept}).headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "image/png", "text/csv;q=0", "text/*;q=0.1, */*"])
def test_others_get_json(shared: TestClient, accept: str) -> None:
    answer = shared.get(HISTORY_PATH, headers={"Accept": accept})

    assert answer.headers["content-type"] == "application/json"


def test_no_rows_are_a_line_of_names(shared: TestClient) -> None:
    answer = shared.get(f"{HISTORY_PATH}?before_id=1", headers={"Accept": "text/csv"})

    assert answer.text.startswith("id,ts,ts_ms,")
    assert answer.text.count("\n") == 1


def test_one_cycle_is_found_by_its_id(shared: TestClient) -> None:
    first, second = reported(shared), reported(shared)

    for id_ in (first, second):
        row = ok(shared.get(f"{HISTORY_PATH}/{id_}"))
        assert row == next(one for one in history(shared) if one["id"] == id_)
    detailed = ok(shared.get(f"{HISTORY_PATH}/{first}", params={"detail": 1}))
    assert detailed["report"]["production_wins"] is None
    assert len(rows_of(shared.get(f"{HISTORY_PATH}/{first}", headers={"Accept": "text/csv"}).text)) == 1


@pytest.mark.parametrize(("id_", "status"), [("1", 404), ("0", 404), (str(2**70), 404), ("x", 400), ("1.5", 400)])
def test_what_is_no_cycle_is_refused(shared: TestClient, id_: str, status: int) -> None:
    assert shared.get(f"{HISTORY_PATH}/{id_}").status_code == status


@pytest.mark.parametrize(
    ("root", "host", "begins"),
    [
        ("", "127.0.0.1:8080", "http://127.0.0.1:8080/internal/"),
        ("", "x>; rel=evil", "/internal/"),
        ("/rps", "127.0.0.1:8080", "http://127.0.0.1:8080/rps/internal/"),
    ],
)
def test_the_next_page_has_an_absolute_address(
    settings: Settings, registry: FaultyRegistry, root: str, host: str, begins: str
) -> None:
    with TestClient(create_app(settings, registry=registry), base_url=BASE_URL, root_path=root) as client:
        wait_until(lambda: client.get(f"{root}/readyz").status_code == 200)
        for _ in range(2):
            ok(client.post(f"{root}{REPORT_PATH}", json=REPORT))
        link = client.get(f"{root}{HISTORY_PATH}?limit=1", headers={"Host": host}).headers["link"]

    assert link.startswith(f"<{begins}promotion/history?limit=1&before_id=")
    assert link.endswith('>; rel="next"')
