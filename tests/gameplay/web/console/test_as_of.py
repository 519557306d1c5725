from starlette.testclient import TestClient

from ledger.times import show_time
from tests.gameplay.web_clients import ok, service_behind, start


def test_a_page_looks_at_the_head_when_nothing_is_asked_for(shared: TestClient) -> None:
    as_of = ok(shared.get("/overview.json"))["as_of"]

    assert as_of["position"] == as_of["head"] == service_behind(shared).core.ledger.head().position
    assert as_of["is_past"] is False


def test_a_page_looks_back_to_a_position_or_a_time(served: TestClient) -> None:
    before = service_behind(served).core.ledger.head()
    start(served)

    by_position = ok(served.get("/overview.json", params={"at": before.position}))
    by_time = ok(served.get("/overview.json", params={"at": show_time(before.recorded_us)}))
    now = ok(served.get("/overview.json"))

    assert by_position["as_of"]["is_past"] is True
    assert by_position["as_of"]["position"] == by_time["as_of"]["position"] == before.position
    assert (by_position["active_games"], now["active_games"]) == (0, 1)


def test_a_position_that_does_not_exist_is_refused_and_says_which_do(shared: TestClient) -> None:
    for text in ("0", "999999", "yesterday", "1960-01-01"):
        answer = shared.get("/overview.json", params={"at": text})

        assert answer.status_code == 400
        assert f"at='{text}'" in answer.json()["detail"]
