"""Whatever comes in: a 4xx that says what is wrong, and no event, no counter, no row."""

import json
import re
import time
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from gameplay.web.app import CALLS
from gameplay.web.limits import DEFAULTS
from ledger.vocabulary import BOTS, FAMILIES, HELD_REASONS, VERDICTS
from projections.decision.rules import KNOWN_RULES
from tests.gameplay.web_clients import HISTORY_PATH, REPORT_PATH, play, samples, start, state

BODY_BYTES_MAX = DEFAULTS.body_bytes
TRAINING_PATH = "/internal/training/complete"
CYCLE_PATH, PIN_PATH, SWAP_PATH = (f"/internal/promotion/{name}" for name in ("cycle", "pin", "swap"))
AS_JSON = {"Content-Type": "application/json"}
GOOD: dict[str, dict[str, object]] = {
    "/start_game": {"policy": "forrest"},
    "/play": {"game_id": "GAME", "user_move": "rock"},
    REPORT_PATH: {"model_type": "xgboost", "decision": "retain_production"},
    TRAINING_PATH: {"model_type": "xgboost", "status": "success"},
    PIN_PATH: {"model_type": "xgboost", "alias": "B", "reason": "a test"},
    SWAP_PATH: {"model_type": "multinomial_logistic", "reason": "a test"},
}
IN_FUTURE = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86_400))

# For each route: what to put in the place of, or beside, the fields of a good body.
WRONG: dict[str, list[dict[str, object]]] = {
    "/start_game": [
        {"policy": "nobody"},
        {"policy": "Forrest"},
        {"policy": None},
        {"policy": 7},
        {"policy": ["forrest"]},
        {"difficulty_mode": "hard"},
        {"player_name": "x" * 201},
        {"player_name": "two\nlines"},
        {"player_name": "nul\x00"},
        {"player_name": 7},
        {"session_id": "x" * 201},
        {"session_id": {"a": 1}},
        {"mark_test_game": "yes"},
        {"is_test": 1},
        {"player_kind": "bot"},
    ],
    "/play": [
        {"game_id": "nobody"},
        {"game_id": ""},
        {"game_id": None},
        {"game_id": "x" * 201},
        {"game_id": "a\x00b"},
        {"user_move": "lizard"},
        {"user_move": "ROCK"},
        {"user_move": ""},
        {"user_move": None},
        {"user_move": 0},
        {"user_move": ["rock"]},
        {"round": 0},
        {"round": -1},
        {"round": 5},
        {"round": 1.5},
        {"round": "1"},
        {"round": 2**70},
        {"round": True},
        {"easy_mode": "no"},
    ],
    REPORT_PATH: [
        {"model_type": "nobody"},
        {"model_type": None},
        {"model_type": "scripted"},
        {"decision": "swap"},
        {"decision": None},
        {"z_statistic": "1.5 "},
        {"p_value": 1.5},
        {"p_value": -0.1},
        {"production_wins": -1, "production_total_games": 3},
        {"production_wins": 4, "production_total_games": 3},
        {"production_wins": 4},
        {"b_wins": 2**70, "b_total_games": 2**70},
        {"b_wins": 1, "b_total_games": 0},
        {"b_wins": 1.5, "b_total_games": 3},
        {"b_wins": "4", "b_total_games": "3"},
        {"b_total_games": -1},
        {"production_games_since_swap": -1},
        {"promotion_cycles_since_swap": 2**64},
        {"reorder_applied": "true"},
        {"z_statistic": 2**70},
        {"z_statistic": -1e300},
        {"alias_rankings": {}},
        {"alias_rankings": [[]]},
        {"alias_rankings": [{}]},
        {"alias_rankings": [{"alias": "Production", "rank": 1}]},
        {"alias_rankings": [{"alias": "shadow3", "rank": 1}]},
        {"alias_rankings": [{"alias": "B", "rank": 0}]},
        {"alias_rankings": [{"alias": "B", "rank": 4}]},
        {"alias_rankings": [{"alias": "B", "rank": 1}, {"alias": "B", "rank": 2}]},
        {"alias_rankings": [{"alias": "B", "rank": 1}, {"alias": "shadow1", "rank": 1}]},
        {"alias_rankings": [{"alias": "B", "rank": 1, "accuracy": 1.01}]},
        {"alias_rankings": [{"alias": "B", "rank": 1, "accuracy": -0.01}]},
        {"alias_rankings": [{"alias": "B", "rank": 1, "total_predictions": -5}]},
        {"alias_rankings": [{"alias": "B", "rank": 1, "source_alias": "C"}]},
        {"alias_accuracies": [{"alias": "B", "accuracy": 2}]},
        {"alias_accuracies": [{"alias": "B"}, {"alias": "B"}]},
        {"alias_accuracies": [{"alias": "nobody"}]},
        {"alias_assignments": [{"alias": "B", "version": 0}]},
        {"alias_assignments": [{"alias": "B", "version": -3}]},
        {"alias_assignments": [{"alias": "B", "version": 2**70}]},
        {"alias_assignments": [{"alias": "B", "version": "v3"}]},
        {"alias_assignments": [{"alias": "B", "changed": "yes"}]},
        {"alias_assignments": [{"alias": "B", "version": 1}, {"alias": "B", "version": 2}]},
        {"reason": "x" * 4_001},
        {"reason": "nul\x00"},
        {"reason": 7},
        {"source": ""},
        {"source": "x" * 201},
        {"source": "two\nlines"},
        {"created_ts_utc": IN_FUTURE},
        {"created_ts_utc": "9999-12-31T23:59:59Z"},
        {"created_ts_utc": "9999-12-31T23:59:59-14:00"},
        {"created_ts_utc": "0001-01-01T00:00:00+14:00"},
        {"created_ts_utc": "yesterday"},
        {"created_ts_utc": "nan"},
        {"created_ts_utc": ""},
        {"created_ts_utc": 1_700_000_000},
    ],
    PIN_PATH: [
        {"model_type": "nobody"},
        {"model_type": "scripted"},
        {"alias": "C"},
        {"alias": None},
        {"version": 99},
        {"version": 0},
        {"version": "v2"},
        {"reason": ""},
        {"reason": " \t\n "},
        {"reason": "\u2003\u00a0"},
        {"reason": "x" * 4_001},
        {"reason": "nul\x00"},
        {"reason": None},
        {"reason": 7},
        {"actor": ""},
        {"actor": "  "},
        {"actor": "two\nlines"},
        {"actor": "x" * 201},
        {"actor": 7},
        {"expires": "2020-01-01"},
        {"expires": 0},
        {"expires": -1},
        {"expires": 1e300},
        {"expires": "9999-12-31T23:59:59Z"},
        {"expires": "tomorrow"},
        {"expires": ""},
        {"expires": "nan"},
        {"expires": True},
        {"expires": []},
        {"dry_run": "yes"},
    ],
    SWAP_PATH: [
        {"version": 99},
        {"version": 1},
        {"version": -1},
        {"version": 2**70},
        {"version": "2.5"},
        {"reason": "   "},
        {"actor": "\x7f"},
        {"dry_run": 1},
    ],
    TRAINING_PATH: [
        {"model_type": "nobody"},
        {"model_type": "scripted"},
        {"status": "perhaps"},
        {"status": None},
        {"alias": "shadow9"},
        {"accuracy": 1.01},
        {"accuracy": -0.01},
        {"accuracy": "1.5"},
        {"duration_seconds": -1},
        {"duration_seconds": 1e308},
        {"duration_seconds": 2**70},
        {"duration_seconds": "1e2"},
        {"source": ""},
        {"source": "x" * 201},
        {"source": "nul\x00"},
    ],
}

# What can be wrong with any body; GOOD stands for the fields of a good one, without the braces.
BROKEN: dict[str, bytes] = {
    "empty": b"",
    "white space": b" \n",
    "truncated": b'{"policy": "forr',
    "an array": b"[]",
    "a number": b"7",
    "null": b"null",
    "a string": b'"rock"',
    "no field": b"{}",
    "two values": b"{GOOD} {GOOD}",
    "a comma too many": b"{GOOD,}",
    "single quotes": b"{'policy': 'forrest'}",
    "NaN": b'{GOOD, "x": NaN}',
    "Infinity": b'{GOOD, "x": Infinity}',
    "minus Infinity": b'{GOOD, "x": -Infinity}',
    "invalid UTF-8": b'{GOOD, "policy": "\xff\xfe", "game_id": "\xff", "model_type": "\xff"}',
    "UTF-16": '{"policy": "forrest"}'.encode("utf-16"),
    "a name twice": b'{GOOD, "x": 1, "x": 1}',
    "a name twice, once escaped": rb'{GOOD, "x": 1, "\u0078": 2}',
    "a name twice further in": b'{GOOD, "x": [{"y": {"z": 1, "z": null}}]}',
    "a byte order mark": b"\xef\xbb\xbf{GOOD}",
    "NUL behind": b"{GOOD}\x00",
    "a raw control character": b'{GOOD, "policy": "a\x01", "game_id": "a\x01", "model_type": "\x01"}',
    "a lone surrogate": rb'{GOOD, "policy": "\ud800", "game_id": "\ud800", "model_type": "\ud800"}',
    "deep": b'{GOOD, "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "deep objects": b'{GOOD, "x": ' + b'{"x":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
}

# Only a report's unknown fields are looked at: they tell two bodies apart.
BROKEN_REPORTS: dict[str, bytes] = {
    "an unknown number out of range": b'{GOOD, "x": 1e999}',
    "invalid UTF-8 in an unknown field": b'{GOOD, "x": "\xff"}',
    "invalid UTF-8 in an unknown name": b'{GOOD, "\xff": 1}',
    "a lone surrogate in an unknown field": rb'{GOOD, "x": "\udc00"}',
    "z out of range": b'{GOOD, "z_statistic": 1e999}',
    "z is NaN": b'{GOOD, "z_statistic": NaN}',
}


@pytest.fixture(scope="module")
def client(shared: TestClient) -> TestClient:
    """What a refused request spoils, spoils the tests after it."""
    return shared


@pytest.fixture(scope="module")
def game_id(client: TestClient) -> str:
    """A game in its first round."""
    return str(start(client)["game_id"])


def assert_refused(client: TestClient, path: str, body: bytes, *statuses: int) -> None:
    """A 4xx with a detail, and everything as it was."""
    before = state(client)
    response = client.post(path, content=body, headers=AS_JSON)
    assert response.status_code in (statuses or range(400, 500)), response.text
    assert response.json().keys() == {"detail", "request_id"}
    assert response.json()["detail"].strip()
    assert state(client) == before


def good(path: str, game_id: str) -> dict[str, object]:
    return {name: game_id if value == "GAME" else value for name, value in GOOD[path].items()}


@pytest.mark.parametrize(
    ("path", "wrong"),
    [pytest.param(path, wrong, id=f"{path} {str(wrong)[:40]}") for path in WRONG for wrong in WRONG[path]],
)
def test_a_wrong_value_is_refused(client: TestClient, game_id: str, path: str, wrong: dict[str, object]) -> None:
    body = json.dumps({**good(path, game_id), **wrong}).encode()

    assert_refused(client, path, body, 400, 404, 409, 422)


@pytest.mark.parametrize(("path", "field"), [(path, field) for path in GOOD for field in GOOD[path]])
def test_a_missing_field_is_refused_by_its_name(client: TestClient, game_id: str, path: str, field: str) -> None:
    body = {name: value for name, value in good(path, game_id).items() if name != field}

    assert field in client.post(path, json=body).json()["detail"]
    assert_refused(client, path, json.dumps(body).encode(), 422)


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("path", GOOD)
def test_a_broken_body_is_refused(client: TestClient, game_id: str, path: str, name: str) -> None:
    fields = json.dumps(good(path, game_id)).encode()[1:-1]

    assert_refused(client, path, BROKEN[name].replace(b"GOOD", fields), 400, 422)


@pytest.mark.parametrize("name", BROKEN_REPORTS)
def test_a_broken_report_is_refused(client: TestClient, name: str) -> None:
    fields = json.dumps(GOOD[REPORT_PATH]).encode()[1:-1]

    assert_refused(client, REPORT_PATH, BROKEN_REPORTS[name].replace(b"GOOD", fields), 400, 422)


def test_a_reload_with_a_body_over_the_limit_is_413(client: TestClient) -> None:
    assert client.post("/models/reload", content=b" " * (BODY_BYTES_MAX + 1)).status_code == 413


@pytest.mark.parametrize("path", GOOD)
def test_a_body_over_the_limit_is_413(client: TestClient, game_id: str, path: str) -> None:
    padded = json.dumps({**good(path, game_id), "padding": "x" * (2 * BODY_BYTES_MAX)}).encode()

    assert_refused(client, path, padded, 413)
    before = state(client)
    chunks = (padded[at : at + 65_536] for at in range(0, len(padded), 65_536))
    assert client.post(path, content=chunks, headers=AS_JSON).status_code == 413
    assert state(client) == before


def test_a_body_at_the_limit_is_read(client: TestClient) -> None:
    body = json.dumps({"model_type": "nobody", "status": "success"}).encode()

    assert_refused(client, TRAINING_PATH, body + b" " * (BODY_BYTES_MAX - len(body)), 422)


def test_a_good_body_is_still_welcome(client: TestClient, game_id: str) -> None:
    assert play(client, game_id, round=1)["round"] == 1
    for path in (REPORT_PATH, TRAINING_PATH):
        assert client.post(path, json={**GOOD[path], "unknown": [1, None]}).status_code == 200


def test_null_is_as_good_as_absent_where_a_field_is_optional(client: TestClient) -> None:
    start = {"difficulty_mode": None, "player_name": "", "session_id": None, "is_test": None}
    report = dict.fromkeys(("z_statistic", "reorder_applied", "alias_rankings", "alias_assignments", "reason"))

    started = client.post("/start_game", json={"policy": "forrest", **start})
    reported = client.post(REPORT_PATH, json={"model_type": "xgboost", "decision": "retain_production", **report})

    assert (started.status_code, started.json()["player_name"]) == (200, "Player")
    assert (reported.status_code, reported.json()["reorder_applied"]) == (200, False)


def test_a_refusal_names_the_words_that_there_are(client: TestClient) -> None:
    unknown = client.post("/start_game", json={"policy": "nobody"})
    odd = client.post("/start_game", json={"policy": "forrest", "player_name": "nul\x00"})

    assert unknown.json()["detail"].endswith("`$.policy`: write one of brian, forrest, logan, " + ", ".join(BOTS))
    assert odd.json()["detail"] == "Expected text without control characters - at `$.player_name`"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/models/reload/nobody/B", 404),
        ("/models/reload/xgboost/b", 404),
        ("/models/reload/xgboost/shadow3", 404),
        ("/models/reload?sync_minio=perhaps", 400),
        ("/models/reload/xgboost/B?sync_minio=7", 400),
    ],
)
def test_a_reload_of_nothing_is_refused(client: TestClient, path: str, status: int) -> None:
    assert_refused(client, path, b"", status)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "limit=1.5",
        "limit=1_0",
        "limit=%205",
        "limit=%D9%A1",
        "limit=",
        f"limit={'9' * 5_000}",
        "since=garbage",
        "from=garbage&since=2026-01-01",
        "from=1e308",
        "since=nan",
        "since=inf",
        "since=-1",
        "since=1e300",
        "since=2026-13-01",
        "since=%00",
        "from=garbage",
        "to=garbage",
        "to=99999-01-01",
        "before_id=0",
        "before_id=x",
        "before_id=",
        f"before_id={2**70}",
        "order=sideways",
        "model_type=nobody",
        "decision=nothing",
        "detail=2",
        "detail=perhaps",
        "since=%ff",
    ],
)
def test_a_bad_history_parameter_is_400_by_its_name(client: TestClient, query: str) -> None:
    response = client.get(f"{HISTORY_PATH}?{query}")

    assert response.status_code == 400
    assert query.partition("=")[0] in response.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        *(
            ("GET", HISTORY_PATH, query)
            for query in (
                *("limit=5&limit=5", "limit=5&limit=", "before_id=1&before_id=2", "order=asc&order=desc"),
                *(
                    "since=1&since=2",
                    "from=1&from=1",
                    "to=1&to=1",
                    "detail=0&detail=1",
                    "detail=1&detail=1&detail=1",
                ),
                *("%6cimit=1&limit=2", "limit=1&x=2&limit=3"),
            )
        ),
        ("GET", "/internal/promotion/event_totals", "days=7&days=8"),
        ("GET", "/metrics", "scope=ledger&scope=process"),
        ("GET", "/round_points", "game_id=a&game_id=b"),
        ("POST", "/models/reload", "sync_minio=true&sync_minio=false"),
        ("POST", "/models/reload/xgboost/B", "clean=0&clean=0"),
    ],
)
def test_a_parameter_that_is_given_twice_is_400_by_its_name(
    client: TestClient, method: str, path: str, query: str
) -> None:
    before = state(client)

    refused = client.request(method, f"{path}?{query}")

    name = query.partition("=")[0].replace("%6c", "l")
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith(f"{name} is given ")
    assert state(client) == before


def test_an_unknown_parameter_may_be_given_twice(client: TestClient) -> None:
    assert client.get(f"{HISTORY_PATH}?_=1&_=2").status_code == 200


@pytest.mark.parametrize(
    "query", ["model_type=xgboost&model_type=nobody", "decision=nothing&decision=alias_reorder"]
)
def test_each_of_several_words_must_be_known(client: TestClient, query: str) -> None:
    assert client.get(f"{HISTORY_PATH}?{query}").status_code == 400


@pytest.mark.parametrize("days", ["0", "91", "x", ""])
def test_bad_days_are_refused(client: TestClient, days: str) -> None:
    assert client.get("/internal/promotion/event_totals", params={"days": days}).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("POST", "/nowhere", 404),
        ("GET", "/start_game", 405),
        ("DELETE", "/play", 405),
        ("PUT", "/internal/promotion/report", 405),
        ("POST", "/metrics", 405),
        ("BREW", "/", 405),
        ("GET", "/metrics?scope=nothing", 400),
    ],
)
def test_a_wrong_path_or_method_is_refused(client: TestClient, method: str, path: str, status: int) -> None:
    before = state(client)
    response = client.request(method, path)

    assert response.status_code == status
    assert response.json().keys() == {"detail", "request_id"}
    assert state(client) == before


def methods_of(path: str) -> list[str]:
    return [method for call in CALLS if call.path == path for method in call.methods]


def test_a_slash_at_the_end_is_no_other_place(client: TestClient) -> None:
    for call in [one for one in CALLS if not one.endless]:
        path = re.sub(r"\{\w+\}", "nobody", call.path)
        plain, slashed = (
            client.request(call.method, one, follow_redirects=False) for one in (path, f"{path.rstrip('/')}/")
        )
        assert plain.status_code == slashed.status_code, path
        wrong = client.put(f"{path.rstrip('/')}/", follow_redirects=False)
        assert (wrong.status_code, wrong.headers["allow"]) == (405, ", ".join(methods_of(call.path)))


def test_head_is_get_without_a_body(client: TestClient) -> None:
    for call in CALLS:
        if call.method == "GET" and not call.endless:
            answer = client.head(call.path)
            assert (answer.status_code, answer.content) == (client.get(call.path).status_code, b""), call.path


_words = st.sampled_from(
    ["forrest", "xgboost", "rock", "B", "Production", "swap_production_b", "alias_reorder", "success", "", "\x00"]
)
_numbers = st.one_of(st.integers(-3, 5), st.sampled_from([2**53, 2**63, 2**70, 1e308, -0.0]), st.floats(0, 1))
_leaves = st.one_of(st.none(), st.booleans(), _numbers, _words, st.text(max_size=5))
_names = st.sampled_from(
    sorted({name for path in WRONG for wrong in WRONG[path] for name in wrong} | {"alias", "version", "rank", "x"})
)
_values = st.recursive(
    _leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_names, inner, max_size=4)),
    max_leaves=6,
)


@settings(max_examples=80)
@given(path=st.sampled_from(sorted(GOOD)), fields=st.dictionaries(_names, _values, max_size=4), bare=st.booleans())
def test_no_body_makes_an_error_of_ours_or_a_series(
    client: TestClient, game_id: str, path: str, fields: dict[str, object], bare: bool
) -> None:
    body = fields if bare else {**good(path, game_id), **fields}
    known = samples(client).keys() - GAUGES_THAT_COME_AND_GO

    response = client.post(path, content=json.dumps(body).encode(), headers=AS_JSON)

    assert response.status_code < 500
    assert samples(client).keys() - GAUGES_THAT_COME_AND_GO == known
    assert client.get(HISTORY_PATH, params={"detail": 1}).status_code == 200


GAUGES_THAT_COME_AND_GO = (
    {
        f"{name}{labels}"
        for family in ("feedforward_nn", "xgboost", "multinomial_logistic")
        for name in (
            "rps_model_promotion_z_statistic",
            "rps_model_promotion_p_value",
            "rps_model_promotion_e_value",
            "rps_model_promotion_games_needed",
            "rps_model_promotion_last_evaluation_timestamp_seconds",
            "rps_model_promotion_last_swap_timestamp_seconds",
            "rps_model_alias_rank",
            "rps_model_training_accuracy",
        )
        for labels in (
            f'{{model="{family}"}}',
            *(f'{{alias="{alias}",model="{family}"}}' for alias in ("Production", "B", "shadow1", "shadow2")),
        )
    }
    | {
        f'rps_model_promotion_rule_verdict{{decision="{decision}",model="{family}",rule="{rule}"}}'
        for decision, family, rule in product(VERDICTS, FAMILIES, KNOWN_RULES)
    }
    | {
        f'rps_model_promotion_held{{model="{family}",reason="{reason}"}}'
        for family, reason in product(FAMILIES, HELD_REASONS)
    }
)


@settings(max_examples=40)
@given(body=st.binary(max_size=60), path=st.sampled_from(sorted(GOOD)))
def test_no_bytes_make_an_error_of_ours(client: TestClient, body: bytes, path: str) -> None:
    before = state(client)

    assert 400 <= client.post(path, content=body, headers=AS_JSON).status_code < 500
    assert state(client) == before
