"""What a service leaves in its log: set up before, then played, trained, decided and reported to."""

import json

from tests.prometheus.conftest import Live

HAPPENED = {"ready", "cycle decided", "swap", "reorder", "trained", "training failed"}


def test_every_line_of_both_streams_is_json(live: Live) -> None:
    lines = [json.loads(line) for line in live.log.read_text("utf-8").splitlines()]

    assert {"time", "level", "logger", "message"} <= set.intersection(*(set(line) for line in lines))
    assert [line for line in lines if line["level"] in ("ERROR", "CRITICAL")] == []


def test_each_happening_is_one_line_with_its_position(live: Live) -> None:
    lines = [json.loads(line) for line in live.log.read_text("utf-8").splitlines()]
    happened = [(line["event"], line["position"]) for line in lines if "event" in line]

    assert {name for name, _ in happened} >= HAPPENED
    assert len(set(happened)) == len(happened)
