import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.codec import Codec, Payload, Upcast
from ledger.errors import InvalidEventError, UnreadableEventError
from ledger.events import EVENT_CLASSES, EVENT_TYPES, Event
from tests.builders import (
    cycle_decided,
    fell_back,
    game_abandoned,
    game_started,
    one_of_each,
    points,
    prediction_made,
    round_played,
    training_completed,
)
from tests.ledger.golden import Golden, golden_events, samples

GOLDEN = golden_events()


@pytest.mark.parametrize("event", samples(), ids=lambda event: type(event).__name__)
def test_an_event_reads_back_as_it_was_given(event: Event) -> None:
    codec = Codec()

    event_type, schema_version, payload = codec.encode(event)

    assert codec.decode(event_type, schema_version, payload) == event
    assert json.loads(payload)["type"] == event_type


def test_the_builders_know_every_type() -> None:
    assert tuple(Codec().encode(event)[0] for event in one_of_each()) == EVENT_TYPES


def test_golden_events_hold_every_version_ever_shipped() -> None:
    shipped = {
        (event_type, version)
        for event_type, newest in Codec().schema_versions.items()
        for version in range(1, newest + 1)
    }

    assert {(golden["type"], golden["schema_version"]) for golden in GOLDEN} == shipped


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: f"{golden['type']}-{golden['schema_version']}")
def test_a_golden_event_decodes_and_encodes_to_the_same_bytes(golden: Golden) -> None:
    codec = Codec()
    event_type, version, payload = golden["type"], golden["schema_version"], golden["payload"].encode()

    event = codec.decode(event_type, version, payload)

    again = codec.encode(event)
    assert codec.decode(*again) == event
    if version == codec.schema_versions[event_type]:
        assert again == (event_type, version, payload)


def name_the_seconds(fields: Payload) -> Payload:
    fields["idle"] = fields.pop("idle_minutes") * 60
    return fields


def name_the_unit(fields: Payload) -> Payload:
    fields["idle_seconds"] = fields.pop("idle")
    return fields


# As if `game.abandoned` had counted minutes once, and then seconds under another name.
TOY_UPCASTS: dict[tuple[str, int], Upcast] = {
    ("game.abandoned", 1): name_the_seconds,
    ("game.abandoned", 2): name_the_unit,
}


def abandoned_payload(**changes: object) -> bytes:
    fields = json.loads(Codec().encode(game_abandoned())[2])
    del fields["idle_seconds"]
    return json.dumps({**fields, **changes}).encode()


@pytest.mark.parametrize(("version", "field", "value"), [(1, "idle_minutes", 30), (2, "idle", 1_800)])
def test_an_old_shape_is_lifted_version_by_version(version: int, field: str, value: int) -> None:
    codec = Codec(TOY_UPCASTS)

    event = codec.decode("game.abandoned", version, abandoned_payload(**{field: value}))

    assert event == game_abandoned(idle_seconds=1_800)
    assert codec.encode(event)[:2] == ("game.abandoned", 3)
    assert codec.encode(game_started())[:2] == ("game.started", 1)


def test_upcasts_that_leave_a_version_out_are_a_mistake() -> None:
    with pytest.raises(AssertionError, match="leave no version out"):
        Codec({("game.abandoned", 2): name_the_unit})


@pytest.mark.parametrize(
    "payload",
    [
        abandoned_payload(),
        abandoned_payload(idle_minutes=None),
        abandoned_payload(idle_minutes="many"),
        abandoned_payload(idle_minutes=1)[:-1],
        b"[1, 2]",
        b'{"deep":' + b"[" * 100_000,
        b"\xff",
    ],
    ids=["field missing", "null", "wrong type", "truncated", "no object", "deeply nested", "no UTF-8"],
)
def test_an_old_shape_that_cannot_be_lifted_is_unreadable(payload: bytes) -> None:
    with pytest.raises(UnreadableEventError):
        Codec(TOY_UPCASTS).decode("game.abandoned", 1, payload)


GOOD = Codec().encode(game_started())[2]


@pytest.mark.parametrize(
    ("event_type", "schema_version", "payload"),
    [
        ("game.paused", 1, GOOD),
        ("game.started", 0, GOOD),
        ("game.started", 2, GOOD),
        ("game.started", -1, GOOD),
        ("game.finished", 1, GOOD),
        ("game.started", 1, b""),
        ("game.started", 1, GOOD[:-1]),
        ("game.started", 1, GOOD + b"}"),
        ("game.started", 1, GOOD.replace(b'"p1"', b'"p\xff"')),
        ("game.started", 1, GOOD.replace(b'"p1"', b"[" * 100_000)),
        ("game.started", 1, GOOD.replace(b'"p1"', b'"\\ud800"')),
        ("game.started", 1, GOOD.replace(b'"p1"', b'""')),
        ("game.started", 1, GOOD.replace(b"0.5", b"1.5")),
        ("game.started", 1, GOOD.replace(b"0.5", b"NaN")),
        ("game.started", 1, GOOD.replace(b'"counted":true', b'"counted":true,"name":"Ada"')),
        ("game.started", 1, GOOD.replace(b'"human"', b'"robot"')),
    ],
)
def test_bytes_that_no_codec_understands_are_unreadable(
    event_type: str, schema_version: int, payload: bytes
) -> None:
    with pytest.raises(UnreadableEventError) as caught:
        Codec().decode(event_type, schema_version, payload)

    assert (caught.value.event_type, caught.value.schema_version) == (event_type, schema_version)


@given(st.integers(0, len(GOOD) - 1))
def test_a_truncated_payload_is_unreadable(length: int) -> None:
    with pytest.raises(UnreadableEventError):
        Codec().decode("game.started", 1, GOOD[:length])


@given(st.binary() | st.text().map(str.encode))
def test_noise_is_unreadable_and_nothing_worse(payload: bytes) -> None:
    with pytest.raises(UnreadableEventError):
        Codec(TOY_UPCASTS).decode("game.abandoned", 1, payload)


@pytest.mark.parametrize(
    "event",
    [
        game_started(assignment_probability=math.nan),
        game_started(assignment_probability=math.inf),
        game_started(assignment_probability=-0.1),
        game_started(swap_count=2**70),
        game_started(swap_count=-1),
        game_started(swap_count=True),
        game_started(swap_count=1.0),
        game_started(alias="Staging"),
        game_started(alias="shadow1"),
        game_started(policy="zoe"),
        game_started(game_id=""),
        game_started(game_id="g" * 201),
        game_started(game_id="\ud800"),
        game_started(game_id=b"g1"),
        game_started(in_metrics=1),
        game_started(in_metrics=None),
        round_played(points=points(rock=-1)),
        round_played(user_move="lizard"),
        prediction_made(probabilities=(0.5, 0.5)),
        prediction_made(probabilities=(0.2, 0.5, math.nan)),
        fell_back(detail="x" * 4_001),
        fell_back(detail="\udfff"),
        cycle_decided(z_statistic=math.nan),
        cycle_decided(z_statistic=-math.inf),
        cycle_decided(p_value=math.nan),
        cycle_decided(decision="maybe"),
        training_completed(duration_seconds=math.inf),
    ],
    ids=lambda event: type(event).__name__,
)
def test_an_event_that_would_not_read_back_is_refused(event: Event) -> None:
    with pytest.raises(InvalidEventError) as caught:
        Codec().encode(event)

    assert caught.value.event_type in str(caught.value)


@given(z=st.none() | st.floats(), p=st.none() | st.floats())
def test_a_statistic_is_stored_exactly_or_refused(z: float | None, p: float | None) -> None:
    codec = Codec()
    event = cycle_decided(z_statistic=z, p_value=p)

    storable = (z is None or math.isfinite(z)) and (p is None or 0 <= p <= 1)

    if storable:
        assert codec.decode(*codec.encode(event)) == event
    else:
        with pytest.raises(InvalidEventError):
            codec.encode(event)


@given(st.text())
def test_any_text_is_stored_exactly(detail: str) -> None:
    codec = Codec()

    assert codec.decode(*codec.encode(fell_back(detail=detail))) == fell_back(detail=detail)


@pytest.mark.parametrize("event_class", EVENT_CLASSES)
def test_an_event_is_frozen_strict_and_made_by_names_alone(event_class: type[Event]) -> None:
    config = event_class.__struct_config__

    assert config.frozen
    assert config.forbid_unknown_fields
    with pytest.raises(TypeError, match="positional"):
        event_class("feedforward_nn")  # type: ignore[call-arg, arg-type]
