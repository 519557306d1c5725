"""The description against what the service really answers. Every call is in it, or one of these tests fails."""

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import jsonschema
import pytest
from msgspec.structs import replace
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.testclient import TestClient

from gameplay.game.players import identify
from gameplay.web.app import CALLS
from gameplay.web.calls import Call
from gameplay.web.described import DESCRIBED
from gameplay.web.description import JSON, Parameter
from gameplay.web.openapi import document
from gameplay.web.shapes import Problem
from ledger.sealing.keys import open_signer
from ledger.sealing.seals import seal_head
from projections.decision.cycle import plan
from tests.gameplay.web_clients import REPORT_PATH, ok, play, service_behind, start

DOCUMENT = document(CALLS, DESCRIBED)
KEYS = [(call.method, call.path) for call in CALLS]
REPORT = {"model_type": "xgboost", "decision": "insufficient_data", "reason": 'too few, "as yet"'}


def strict(schema: Any) -> Any:
    """The schema, which then takes no field that it does not name: the description is to be complete."""
    match schema:
        case {"properties": _}:
            return {name: strict(one) for name, one in schema.items()} | {"additionalProperties": False}
        case dict():
            return {name: strict(one) for name, one in schema.items()}
        case list():
            return [strict(one) for one in schema]
        case _:
            return schema


COMPONENTS = strict(DOCUMENT["components"])


def check(value: Any, schema: Any) -> None:
    whole = {**strict(schema), "components": COMPONENTS}
    jsonschema.Draft202012Validator(whole).validate(value)


def operation_of(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][path][method.lower()]
    return found


def check_answer(method: str, path: str, response: httpx2.Response) -> None:
    """Status, media type and body are among those that the description gives."""
    described = operation_of(method, path)["responses"]
    assert str(response.status_code) in described, f"{response.status_code} is not described: {response.text}"
    content = described[str(response.status_code)]["content"]
    media = response.headers["content-type"].partition(";")[0]
    assert media in {one.partition(";")[0] for one in content}
    if media == JSON:
        check(response.json(), content[JSON]["schema"])


def test_the_document_is_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    ids = [one["operationId"] for operations in DOCUMENT["paths"].values() for one in operations.values()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("key", KEYS, ids=" ".join)
def test_every_call_is_described(key: tuple[str, str]) -> None:
    assert key in DESCRIBED, f"{key}: give it an entry in gameplay/web/described.py, with examples"
    named = {one.name for one in DESCRIBED[key].path}
    assert named == set(re.findall(r"{(\w+)}", key[1]))


def test_nothing_is_described_that_does_not_exist() -> None:
    assert DESCRIBED.keys() <= set(KEYS)


@pytest.mark.parametrize("key", KEYS, ids=" ".join)
def test_the_examples_fit_their_schemas(key: tuple[str, str]) -> None:
    operation = operation_of(*key)
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for described in (*bodies, *operation["responses"].values()):
        for one in described["content"].values():
            if "example" in one:
                check(one["example"], one["schema"])
    for parameter in operation["parameters"]:
        check(parameter["example"], parameter["schema"])


@pytest.fixture(scope="module")
def game_id(shared: TestClient) -> str:
    return str(start(shared)["game_id"])


@pytest.fixture(scope="module")
def cycle(shared: TestClient) -> int:
    position = int(ok(shared.post(REPORT_PATH, json=REPORT))["event_id"])
    core = service_behind(shared).core
    seal_head(core.ledger, open_signer(core.settings.seal_key))  # so that there is a proof of it
    return position


@pytest.fixture(scope="module")
def player_id(shared: TestClient) -> str:
    """A person who has played a round."""
    started = start(shared, session_id="described")
    play(shared, started["game_id"])
    return identify(None, "described").player_id


def filled(parameters: tuple[Parameter, ...], live: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(one.name, live.get(one.name, one.example)) for one in parameters]


def ask(client: TestClient, call: Call, live: dict[str, Any], **more: Any) -> httpx2.Response:
    """The call as its own examples have it; `live` are ids that exist."""
    described = DESCRIBED[call.method, call.path]
    path = call.path.format(**dict(filled(described.path, live)))
    query = [(name, text) for name, text in filled(described.query, live) if name != "from"]  # `since` says it
    body = (
        {**described.body_example, **{k: v for k, v in live.items() if k in described.body_example}}
        if (described.body)
        else None
    )
    return client.request(call.method, path, params=query, json=body, **more)


def prepare(client: TestClient, path: str) -> None:
    """What an operator's order needs to be there, and nothing that hinders it."""
    if not path.startswith("/internal/promotion/"):
        return
    promotion = service_behind(client).core.promotion
    order = {"model_type": "xgboost", "reason": "a test"}
    client.post("/internal/promotion/unpin", json={**order, "alias": "Production"})
    if path.endswith("/unpin"):
        ok(client.post("/internal/promotion/pin", json={**order, "alias": "Production"}))
    if path.endswith("/undo"):
        ok(client.post("/internal/promotion/swap", json=order))
    if path.endswith(("/approve", "/reject", "/cancel")):
        state = promotion.state("xgboost")
        planned = plan("manual", "xgboost", state.assignment(), state.assignment())
        until = None if path.endswith("/cancel") else 4_070_908_800_000_000
        promotion.append(state, [replace(planned, approve_by_us=until)])


@pytest.mark.parametrize(
    "call", [call for call in CALLS if not call.signed], ids=lambda call: f"{call.method} {call.path}"
)
def test_the_example_is_answered_as_described(
    shared: TestClient, game_id: str, cycle: int, player_id: str, call: Call
) -> None:
    live = {"game_id": game_id, "id": cycle, "position": cycle, "player_id": player_id}
    if call.path.startswith(("/players/", "/stats")):  # the first position is before both
        live["at"] = str(service_behind(shared).core.ledger.head().position)

    prepare(shared, call.path)

    response = ask(shared, call, live)

    assert response.status_code == 200, response.text
    check_answer(call.method, call.path, response)


@pytest.mark.parametrize("call", [call for call in CALLS if call.method == "POST"], ids=lambda call: call.path)
@pytest.mark.parametrize("body", [b"{", b"[1]", b'{"model_type": 7, "policy": 7, "game_id": 7}', b"x" * 2_000_000])
def test_a_bad_body_is_answered_as_described(shared: TestClient, call: Call, body: bytes) -> None:
    path = call.path.format(**{one.name: one.example for one in DESCRIBED[call.method, call.path].path})

    check_answer(call.method, call.path, shared.post(path, content=body))


@pytest.mark.parametrize("call", [call for call in CALLS if call.guarded], ids=lambda call: call.path)
def test_a_guard_s_answer_is_described(shared: TestClient, call: Call) -> None:
    response = ask(shared, call, {}, headers={"Origin": "https://elsewhere.example"})

    assert response.status_code == 403
    check_answer(call.method, call.path, response)


def wrong_queries() -> Iterator[tuple[Call, str, str]]:
    for call in CALLS:
        for one in DESCRIBED[call.method, call.path].query:
            if not one.repeated and one.type is not str:
                yield call, one.name, "no-such-word"


@pytest.mark.parametrize(
    ("call", "name", "text"), list(wrong_queries()), ids=lambda one: str(getattr(one, "path", one))
)
def test_a_wrong_parameter_is_answered_as_described(
    shared: TestClient, game_id: str, cycle: int, call: Call, name: str, text: str
) -> None:
    response = ask(shared, call, {"game_id": game_id, "id": cycle, "position": cycle, name: text})

    assert 400 <= response.status_code < 500
    check_answer(call.method, call.path, response)


@pytest.mark.parametrize("missing", ["/round_points?game_id=none", "/internal/promotion/history/999999"])
def test_what_does_not_exist_is_answered_as_described(shared: TestClient, missing: str) -> None:
    response = shared.get(missing)

    assert response.status_code == 404
    assert response.json().keys() == set(Problem.__struct_fields__)


def test_the_service_gives_the_document_and_shows_it(shared: TestClient) -> None:
    assert ok(shared.get("/openapi.json")) == DOCUMENT

    page = shared.get("/openapi").text
    assert all(f"<code>{call.method} {call.path}</code>" in page for call in CALLS)
    assert "<script" not in page
