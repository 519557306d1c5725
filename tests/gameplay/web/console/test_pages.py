import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.web.app import create_app
from ledger.events import Event
from tests.builders import alias_pinned, aliases_assigned, assignments, cycle_decided
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import BASE_URL, service_behind, wait_until

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (BROWSER["Accept"], "text/html"),
        ("text/html", "text/html"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("text/plain", "application/json"),
    ],
)
def test_only_a_browser_gets_the_page(shared: TestClient, accept: str, media_type: str) -> None:
    answer = shared.get("/", headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == media_type


def test_the_twin_is_json_for_a_browser_too(shared: TestClient) -> None:
    answer = shared.get("/overview.json", headers=BROWSER)

    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["as_of"]["is_past"] is False


def test_a_page_has_strict_headers_and_nothing_inline(shared: TestClient) -> None:
    answer = shared.get("/", headers=BROWSER)

    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert " style=" not in answer.text
    assert "<style" not in answer.text
    assert "<script>" not in answer.text


def test_an_error_is_a_page_for_a_browser_with_the_id_of_the_request(shared: TestClient) -> None:
    headers = {**BROWSER, "X-Request-ID": "asked-7"}
    page = shared.get("/nothing", headers=headers)
    twin = shared.get("/nothing", headers={"X-Request-ID": "asked-7"})

    assert (page.status_code, twin.status_code) == (404, 404)
    assert page.headers["content-type"].startswith("text/html")
    assert "asked-7" in page.text
    assert twin.json()["request_id"] == "asked-7"


def test_what_a_client_sends_is_text_in_the_page(shared: TestClient) -> None:
    answer = shared.get("/", params={"at": "<img src=x onerror=alert(1)>"}, headers=BROWSER)

    assert answer.status_code == 400
    assert "<img" not in answer.text
    assert "&lt;img" in answer.text


def test_links_begin_with_the_prefix_that_a_proxy_takes_off(settings: Settings, registry: FaultyRegistry) -> None:
    app = create_app(settings, registry=registry)
    with TestClient(app, base_url=BASE_URL, root_path="/rps") as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        page = client.get("/rps/", headers=BROWSER)

    assert 'href="/rps/decisions"' in page.text
    assert 'href="/decisions"' not in page.text


def test_what_operators_and_reporters_write_is_text_on_every_page(served: TestClient) -> None:
    runnable = "<img src=x onerror=alert(1)>"
    ledger = service_behind(served).core.ledger
    stream = "promotion-feedforward_nn"
    moved = assignments((1, 2, 3, 4), (2, 1, 3, 4))
    events: list[Event] = [
        cycle_decided(reason=runnable, source=runnable),
        alias_pinned(alias="shadow2", version=4, expires_us=None, actor=runnable, reason=runnable),
        aliases_assigned(cause="manual", assignments=moved, swapped=True, actor=runnable, reason=runnable),
    ]
    first = ledger.append(stream, events, ledger.version(stream)).first_position

    for path in ("/", "/families/feedforward_nn", "/decisions", f"/decisions/{first}", f"/events/{first}"):
        page = served.get(path, headers=BROWSER).text
        assert "<img" not in page, path
    assert "&lt;img" in served.get("/", headers=BROWSER).text
    assert "&lt;img" in served.get(f"/decisions/{first}", headers=BROWSER).text
