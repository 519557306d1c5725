import httpx2
import pytest
from starlette.testclient import TestClient

from gameplay.client.cycles import CycleError, ask_for_cycles
from ledger.vocabulary import FAMILIES, Family
from tests.gameplay.web_clients import ok

X: Family = "xgboost"


def ask(client: httpx2.Client, family: Family | None = None, key: str | None = None) -> list[str]:
    rows = ask_for_cycles(client, token=None, family=family, dry_run=False, reason="nightly", key=key)
    return [row["model_type"] for row in rows]


def test_a_service_decides_for_every_family_or_for_one(served: TestClient) -> None:
    assert ask(served) == list(FAMILIES)
    assert ask(served, X) == [X]


def test_the_same_key_is_decided_once(served: TestClient) -> None:
    ask(served, X, "k")
    ask(served, X, "k")

    assert len(ok(served.get("/internal/promotion/history"))) == 1


def test_what_the_service_refuses_is_said_in_its_words(served: TestClient) -> None:
    ask(served, X, "k")

    with pytest.raises(CycleError, match=r"answered 409: .* belongs to cycle 1, of 'nightly'"):
        ask_for_cycles(served, token=None, family=X, dry_run=False, reason="by hand", key="k")


@pytest.mark.parametrize(
    ("status", "content", "problem"),
    [
        (200, b"<html>", "answered 200, and no JSON"),
        (200, b"{}", "answered with no cycles"),
        (502, b"\xff", "answered 502, and no JSON"),
        (401, b'{"detail": "the token is wrong"}', "answered 401: the token is wrong"),
        (500, b"[]", r"answered 500: \[\]"),
    ],
)
def test_what_is_no_answer_of_ours_is_said_with_its_status(status: int, content: bytes, problem: str) -> None:
    other = httpx2.MockTransport(lambda _request: httpx2.Response(status, content=content))

    with (
        httpx2.Client(transport=other, base_url="http://elsewhere") as client,
        pytest.raises(CycleError, match=problem),
    ):
        ask(client)


def test_no_service_at_all_is_said() -> None:
    with (
        httpx2.Client(base_url="http://127.0.0.1:9") as client,
        pytest.raises(CycleError, match="is `rps serve` up"),
    ):
        ask(client)


@pytest.mark.parametrize(
    ("token", "key", "problem"), [(None, "nightly-\xe9", "the key"), ("tok\xe9n", None, "RPS_INTERNAL_TOKEN")]
)
def test_what_no_header_can_hold_is_said_by_name(token: str | None, key: str | None, problem: str) -> None:
    with (
        httpx2.Client(base_url="http://127.0.0.1:9") as client,
        pytest.raises(CycleError, match=f"^{problem} goes into a header") as refused,
    ):
        ask_for_cycles(client, token=token, family=X, dry_run=False, reason=None, key=key)
    assert "\xe9" not in str(refused.value)
