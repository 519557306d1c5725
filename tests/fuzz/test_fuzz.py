from collections import Counter
from typing import Any

import pytest
from starlette.testclient import TestClient

from gameplay.web import promotion
from tests.builders import training_completed
from tests.fuzz.fuzzing import fuzz, known_values, operations, process_series
from tests.gameplay.web_clients import service_behind

TRIES = 6


def test_requests_from_the_document_are_answered_or_refused_and_refusals_leave_nothing(served: TestClient) -> None:
    statuses: Counter[int] = Counter()
    known, series = known_values(served), process_series(served)
    for operation in operations():
        statuses += fuzz(served, operation, TRIES, start=1, known=known)
    assert process_series(served) == series
    assert {200, 400, 404, 409, 422} <= statuses.keys(), "requests of every kind were made"


def test_a_call_that_cannot_take_an_answer_is_found(served: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a value that nobody had thought of")

    monkeypatch.setattr(promotion, "read_rows", broken)
    with pytest.raises((AssertionError, RuntimeError)):
        _fuzz(served, "GET /internal/promotion/history")


def test_a_refused_request_that_writes_is_found(served: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = service_behind(served).core.ledger
    find = type(service_behind(served).play).find

    async def writing(self: Any, game_id: str) -> Any:
        ledger.record(training_completed())
        return await find(self, game_id)

    monkeypatch.setattr(type(service_behind(served).play), "find", writing)
    with pytest.raises(AssertionError, match="an event was written"):
        _fuzz(served, "GET /round_points")


def _fuzz(client: TestClient, name: str) -> None:
    (operation,) = (one for one in operations() if one.name == name)
    fuzz(client, operation, TRIES, start=1)
