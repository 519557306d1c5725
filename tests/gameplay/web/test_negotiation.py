import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from gameplay.web.negotiation import Preference, coding, media_type, preferences
from projections.metrics.exposition import FORMATS, TEXT
from tests.gameplay.web_clients import HISTORY_PATH

OLDER_TEXT, NEWER_TEXT, OPENMETRICS = FORMATS


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "identity"),
        ([""], "identity"),
        (["gzip"], "gzip"),
        (["GZip"], "gzip"),
        (["x-gzip"], "gzip"),
        (["gzip, deflate, br, zstd"], "gzip"),
        (["deflate", "br;q=1.0 , gzip ; q=0.5"], "gzip"),
        (["gzip;q=0"], "identity"),
        (["gzip;q=0.000"], "identity"),
        (["gzip; Q=0"], "identity"),
        (["gzip;q=0, *"], "identity"),
        (["*;q=0, gzip"], "gzip"),
        (["notgzip, gzipped"], "identity"),
        (["br"], "identity"),
        (["identity"], "identity"),
        (["gzip;q=0.5, identity"], "identity"),
        (["gzip, identity;q=0.5"], "gzip"),
        (["gzip;q=0.001"], "gzip"),
        (["*"], "gzip"),
        (["*;q=0.5, gzip;q=0.1"], "identity"),
        (["identity;q=0"], None),
        (["*;q=0"], None),
        (["gzip;q=0, identity;q=0"], None),
        (["*;q=0, identity"], "identity"),
        (["identity;q=0, *"], "gzip"),
        (["br, identity;q=0"], None),
        (["gzip;q=nonsense"], "identity"),
        (["gzip;q=2"], "gzip"),
    ],
)
def test_a_coding_is_the_one_that_the_client_prefers(lines: list[str], expected: str | None) -> None:
    assert coding(lines) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], OLDER_TEXT),
        (["*/*"], OLDER_TEXT),
        (["text/*"], OLDER_TEXT),
        (["text/html,application/xhtml+xml,*/*;q=0.8"], OLDER_TEXT),
        (["application/openmetrics-text"], OPENMETRICS),
        (["APPLICATION/OpenMetrics-Text; Version=1.0.0; charset=UTF-8"], OPENMETRICS),
        (['application/openmetrics-text; version="1.0.0"'], OPENMETRICS),
        (["application/openmetrics-text;version=0.0.1, text/plain;q=0.5"], OLDER_TEXT),
        (["application/openmetrics-text;q=0.1, text/plain"], OLDER_TEXT),
        (["text/plain;q=0.1, application/openmetrics-text"], OPENMETRICS),
        (["text/plain;q=0.1", "application/openmetrics-text;q=0.2"], OPENMETRICS),
        (["application/openmetrics-text;q=0, */*"], OLDER_TEXT),
        (["text/plain;q=0, */*;q=0.1"], OPENMETRICS),
        (["text/plain;version=1.0.0, text/plain;q=0.9"], NEWER_TEXT),
        (["application/*, text/*;q=0.9"], OPENMETRICS),
        (['text/html;title="a,application/openmetrics-text", text/plain'], OLDER_TEXT),
        (
            [
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
                "application/openmetrics-text;version=0.0.1;q=0.4,"
                "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,/;q=0.1"
            ],
            OPENMETRICS,
        ),
        (["application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"], None),
        (["*/*;q=0"], None),
        (["image/png"], None),
    ],
)
def test_a_media_type_is_the_one_that_the_client_prefers(lines: list[str], expected: str | None) -> None:
    assert media_type(lines, list(FORMATS), ignored=("escaping",)) == expected


def test_a_comma_within_quotes_separates_nothing() -> None:
    found = list(preferences([r'text/plain; a="1,2;q=0\"3"; q=0.5, */*']))

    assert found == [Preference("text/plain", {"a": '1,2;q=0"3'}, 0.5), Preference("*/*", {}, 1.0)]


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=60), max_size=3))
def test_no_header_is_beyond_reading(lines: list[str]) -> None:
    assert coding(lines) in ("gzip", "identity", None)
    assert media_type(lines, list(FORMATS)) in (*FORMATS, None)


@pytest.mark.parametrize("path", ["/metrics", HISTORY_PATH])
def test_long_answers_are_packed_for_those_who_want_it(shared: TestClient, path: str) -> None:
    for header in ("gzip", "deflate, gzip;q=0.5", "identity;q=0, *"):
        packed = shared.get(path, headers={"Accept-Encoding": header})
        assert (packed.status_code, packed.headers["content-encoding"]) == (200, "gzip")
        assert "Accept-Encoding" in packed.headers["vary"]
    for header in ("gzip;q=0", "", "identity", "br"):
        plain = shared.get(path, headers={"Accept-Encoding": header})
        assert plain.status_code == 200
        assert "content-encoding" not in plain.headers
        assert "Accept-Encoding" in plain.headers["vary"]


def test_an_answer_that_no_coding_may_carry_is_406(shared: TestClient) -> None:
    refused = shared.get("/metrics", headers={"Accept-Encoding": "*;q=0"})

    assert refused.status_code == 406
    assert "Accept-Encoding" in refused.json()["detail"]


def test_lines_of_one_header_count_together(shared: TestClient) -> None:
    lines = [("Accept-Encoding", "gzip;q=0"), ("Accept-Encoding", "identity"), ("Accept", "text/html")]

    answer = shared.get("/metrics", headers=[*lines, ("Accept", "application/openmetrics-text")])

    assert "content-encoding" not in answer.headers
    assert answer.headers["content-type"] == OPENMETRICS


def test_metrics_are_text_for_a_client_that_takes_none_of_the_formats(shared: TestClient) -> None:
    answer = shared.get("/metrics", headers={"Accept": "image/png"})

    assert (answer.status_code, answer.headers["content-type"]) == (200, TEXT)
    assert answer.headers["vary"].startswith("Accept")


def test_packed_bytes_are_a_whole_gzip_file(shared: TestClient) -> None:
    with shared.stream("GET", "/metrics", headers={"Accept-Encoding": "gzip"}) as packed:
        body = gzip.decompress(b"".join(packed.iter_raw()))

    assert b"rps_active_games 0.0" in body
