"""Requests made from the OpenAPI document, right and wrong ones, and what must hold after each."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple
from warnings import catch_warnings, simplefilter

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from starlette.testclient import TestClient

from gameplay.web.app import CALLS
from gameplay.web.described import DESCRIBED
from gameplay.web.openapi import document
from tests.gameplay.web_clients import BASE_URL, play, play_on, samples, service_behind, start, state

Known = Mapping[str, Sequence[Any]]
"""Name of a parameter or a field -> values of it that the service knows."""
READS = frozenset({"get", "head", "options"})


class Operation(NamedTuple):
    """A call of the document, and how requests to it are made."""

    name: str
    method: str
    cases: st.SearchStrategy[Any]


def operations() -> Iterator[Operation]:
    """Every call of the service but those that stream: a stream ends when its reader goes."""
    described = document(CALLS, DESCRIBED)
    described["paths"] = {path: item for path, item in described["paths"].items() if not _streams(item)}
    schema = schemathesis.openapi.from_dict(described)
    found: Any  # an operation, or why the document has none
    for found in schema.get_all_operations():
        operation = found.ok()
        right = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        yield Operation(operation.label, operation.method.lower(), right | wrong)


def known_values(client: TestClient) -> Known:
    """Ids of games that go on and of one that has ended, of their player, and positions of the ledger."""
    finished, *going_on = (start(client, player_name="Ada")["game_id"] for _ in range(4))
    play_on(client, finished)
    for game_id in going_on:
        play(client, game_id)
    head = service_behind(client).core.ledger.head().position
    return {
        "game_id": [finished, *going_on],
        "position": [1, head // 2, head],
        "id": [1, head],
        "round": [1, 2],
        "user_move": ["rock"],
    }


def fuzz(
    client: TestClient, operation: Operation, tries: int, *, start: int, known: Known | None = None
) -> Counter[int]:
    """Send so many requests, half of them with known values where the call has them; status -> how many got it.

    Raises AssertionError for the first that breaks a rule.
    """
    statuses: Counter[int] = Counter()
    before = state(client)
    accepted = False

    @seed(start)
    @settings(
        max_examples=tries,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.cases, draw=st.data())
    def send(case: Any, draw: st.DataObject) -> None:
        nonlocal accepted
        if known and draw.draw(st.booleans()):
            _put_known(case, known, draw)
        head = service_behind(client).core.ledger.head()
        request = case.as_transport_kwargs(base_url=BASE_URL)
        response = client.request(**_for_httpx(request))
        statuses[response.status_code] += 1
        shown = f"{request} got {response.status_code}: {response.text[:500]}"
        assert response.status_code < 500 or "retry-after" in response.headers, shown
        is_write = response.status_code < 400 and operation.method not in READS
        accepted |= is_write
        if not is_write:
            assert service_behind(client).core.ledger.head() == head, f"an event was written: {shown}"
        if response.status_code >= 400:
            assert json.loads(response.content)["detail"], shown

    with catch_warnings():
        simplefilter("ignore")  # of the generator, on what it cannot make of a schema
        send()
    if not accepted:
        assert state(client) == before, f"refused requests to {operation.name} have left something behind"
    return statuses


def process_series(client: TestClient) -> set[str]:
    """The process's own series: their labels are all there from the start, but for jobs that have yet to run."""
    return {name for name in samples(client, "process") if not name.startswith("rps_job_")}


def _put_known(case: Any, known: Known, draw: st.DataObject) -> None:
    """Put values that the service knows where the request has some of the same name."""
    for part in (case.path_parameters, case.query, case.body):
        if isinstance(part, MutableMapping):
            for name in sorted(part.keys() & known.keys()):
                part[name] = draw.draw(st.sampled_from(known[name]))


def _for_httpx(request: dict[str, Any]) -> dict[str, Any]:
    """What the generator gives to one HTTP library, as another takes it."""
    given = {name: request.get(name) for name in ("method", "url", "params", "headers", "cookies", "json")}
    body = request.get("data")
    if body is not None:
        given["content"] = body if isinstance(body, bytes | str) else json.dumps(body)
    return {name: value for name, value in given.items() if value is not None}


def _streams(item: dict[str, Any]) -> bool:
    answers = (answer for call in item.values() if isinstance(call, dict) for answer in call["responses"].values())
    return any("text/event-stream" in answer.get("content", {}) for answer in answers)
