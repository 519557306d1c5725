import json
import logging
import re
from contextvars import copy_context

import pytest

from gameplay.observability.log_lines import JsonLines, TextLines, is_object
from gameplay.observability.request_ids import RequestIds, Trace, request_id, trace
from ledger.masking import Masking


def record(text: str = "swapped", **facts: object) -> logging.LogRecord:
    made = logging.LogRecord("gameplay", logging.INFO, "here.py", 1, text, (), None)
    made.created = 1_764_174_600.4125
    made.facts = facts
    return made


def test_a_line_of_text_has_its_time_in_utc_and_its_position() -> None:
    line = TextLines(Masking()).format(record(position=7, model_type="xgboost"))

    assert line == "2025-11-26T16:30:00.412Z INFO gameplay: swapped [position 7]"


def test_a_line_of_json_has_every_fact() -> None:
    line = JsonLines(Masking()).format(record(position=7, model_type="xgboost", event="swap"))

    assert json.loads(line) == {
        "time": "2025-11-26T16:30:00.412Z",
        "level": "INFO",
        "logger": "gameplay",
        "message": "swapped",
        "position": 7,
        "model_type": "xgboost",
        "event": "swap",
    }


def test_a_secret_with_quotes_is_masked_in_json_too() -> None:
    line = JsonLines(Masking(['hu"sh'])).format(record('no answer from hu"sh'))

    assert json.loads(line)["message"] == "no answer from ***"


def test_a_line_names_its_request_and_trace() -> None:
    made = record(position=7)

    def within() -> None:
        request_id.set("mine")
        trace.set(Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"))
        RequestIds().filter(made)

    copy_context().run(within)

    text, lines = TextLines(Masking()).format(made), json.loads(JsonLines(Masking()).format(made))
    assert text.endswith(" [position 7, request mine, trace 4bf92f3577b34da6a3ce929d0e0e4736]")
    assert lines["request_id"] == "mine"
    assert lines["span_id"] == "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("text", "whether"), [('{"a": 1}', True), ("[1]", False), ("", False), ("{", False), ("\ud800", False)]
)
def test_one_object_is_told_from_other_texts(text: str, whether: bool) -> None:
    assert is_object(text) is whether


def test_an_error_keeps_its_traceback_in_one_line() -> None:
    made = record()
    with pytest.raises(ZeroDivisionError) as raised:
        divmod(1, 0)
    made.exc_info = (raised.type, raised.value, raised.tb)

    line = JsonLines(Masking()).format(made)
    assert "\n" not in line
    assert re.search("Traceback.*ZeroDivisionError: .*$", json.loads(line)["error"], re.DOTALL)
