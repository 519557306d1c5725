import json
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import inspect
from starlette.testclient import TestClient

from gameplay.web.app import CALLS
from gameplay.web.described import DESCRIBED

ORDER = {"model_type": "xgboost", "reason": "a test", "dry_run": True}
BODIES: dict[str, dict[str, Any]] = {
    "/start_game": {"policy": "forrest"},
    "/play": {"game_id": "nobody", "user_move": "rock"},
    "/erase_name": {"session_id": "nobody"},
    "/internal/promotion/report": {"model_type": "xgboost", "decision": "retain_production"},
    "/internal/promotion/cycle": {"model_type": "xgboost", "dry_run": True},
    "/internal/promotion/pin": {**ORDER, "alias": "B"},
    "/internal/promotion/unpin": {**ORDER, "alias": "B"},
    "/internal/promotion/swap": ORDER,
    "/internal/promotion/undo": ORDER,
    "/internal/promotion/approve": ORDER,
    "/internal/promotion/reject": ORDER,
    "/internal/promotion/cancel": ORDER,
    "/internal/training/complete": {"model_type": "xgboost", "status": "success"},
    "/internal/grafana/metric-payload-options": {"name": "model_type"},
    "/internal/grafana/query": {"targets": [{"target": "promotion_history", "payload": {}}]},
    "/internal/grafana/variable": {"payload": {"target": "models"}},
}
"""A body of each call that reads one, with all that it has to have."""
BODILESS = {
    "/decisions/{position}/derive",
    "/models/reload",
    "/models/reload/{model_type}/{alias}",
    "/internal/grafana/metrics",
}
REFUSED = {400, 422}
SIGNED = {"/internal/mlflow/webhook"}
AS_JSON = {"Content-Type": "application/json"}


def test_every_call_that_reads_a_body_is_tried_here() -> None:
    assert {call.path for call in CALLS if call.method == "POST"} == BODIES.keys() | BODILESS | SIGNED


@pytest.mark.parametrize(("opened", "closed"), [(b"[", b"]"), (b'{"x":', b"}")], ids=["arrays", "objects"])
def test_a_body_that_nests_about_as_deep_as_can_be_read_is_answered(
    served: TestClient, opened: bytes, closed: bytes
) -> None:
    for path in BODIES:
        deepest = deepest_read(served, path, opened, closed)
        statuses = {nested(served, path, opened * depth + b"1" + closed * depth)[0] for depth in around(deepest)}
        assert max(statuses) < 500, path


def around(depth: int) -> range:
    """An interpreter's limit is not ours: what reads a body first may go deeper than what reads it next."""
    return range(depth - 10, depth + 2)


def deepest_read(client: TestClient, path: str, opened: bytes, closed: bytes) -> int:
    """The greatest depth that is no error of depth, by halves."""
    read, refused = 1, 100_000
    while refused - read > 1:
        depth = (read + refused) // 2
        status, text = nested(client, path, opened * depth + b"1" + closed * depth)
        if status == 400 and "recursion" in text:
            refused = depth
        else:
            read = depth
    return read


def nested(client: TestClient, path: str, value: bytes) -> tuple[int, str]:
    fields = json.dumps(BODIES[path]).encode()[1:]
    answer = client.post(path, content=b'{"unknown": ' + value + b", " + fields, headers=AS_JSON)
    return answer.status_code, answer.text


def test_null_is_as_good_as_absent_in_every_body(served: TestClient) -> None:
    for path, body in BODIES.items():
        for name in optional_fields(path):
            without = {key: value for key, value in body.items() if key != name}
            absent, null = served.post(path, json=without), served.post(path, json={**without, name: None})
            # An order that is carried out without `dry_run` may find nothing to do the second time.
            assert (null.status_code in REFUSED) == (absent.status_code in REFUSED), (path, name, null.text)


def test_so_may_those_further_in() -> None:
    bodies = [body for (method, _), one in DESCRIBED.items() if method == "POST" and (body := one.body)]
    optional = [(body.__name__, name, kind) for body in bodies for name, kind in within(inspect.type_info(body))]

    assert [(body, name) for body, name, kind in optional if not is_nullable(kind)] == []
    assert {("QueryBody", "refId"), ("VariableBody", "target"), ("ReportBody", "version")} <= {
        (body, name) for body, name, _ in optional
    }


def optional_fields(path: str) -> list[str]:
    kind = inspect.type_info(DESCRIBED["POST", path].body)
    assert isinstance(kind, inspect.StructType)
    return [field.encode_name for field in kind.fields if not field.required]


def is_nullable(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.UnionType) and any(isinstance(one, inspect.NoneType) for one in kind.types)


def within(kind: inspect.Type) -> Iterator[tuple[str, inspect.Type]]:
    """The optional fields of a type, and of all types in it."""
    match kind:
        case inspect.UnionType():
            for one in kind.types:
                yield from within(one)
        case inspect.VarTupleType() | inspect.ListType():
            yield from within(kind.item_type)
        case inspect.StructType():
            for field in kind.fields:
                if not field.required:
                    yield field.encode_name, field.type
                yield from within(field.type)
