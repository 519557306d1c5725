"""Events to bytes and back, for every shape ever stored.

The schema version lives in the column beside the payload. A stored payload is never rewritten: an older shape
is lifted, one version at a time, by the upcasts below when it is read.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ledger.decoders import convert, json_decoder
from ledger.errors import InvalidEventError, UnreadableEventError
from ledger.events import EVENT_CLASSES, Event, wire_name

Payload = dict[str, Any]
_decode_payload = json_decoder(Payload).decode
Upcast = Callable[[Payload], Payload]
"""Lifts a decoded payload from one schema version to the next."""


def _without_statistics(fields: Payload) -> Payload:
    """A cycle once recorded the test of its own rule alone."""
    return {**fields, "statistics": None, "verdicts": []}


def _without_time(fields: Payload) -> Payload:
    """A cycle once counted all finished games, whenever they were assigned: its own time did not matter."""
    return {**fields, "decided_us": None}


def _without_guards(fields: Payload) -> Payload:
    """No guard looked at a cycle's games, and none was part of a rule."""
    return {**fields, "watched": None}


def _without_windows(fields: Payload) -> Payload:
    """A cycle recorded only the window by which it decided, and games by alias alone."""
    return {**fields, "windows": None}


def _restarting(fields: Payload) -> Payload:
    """Every change of the rule began a new window, even that of a guard."""
    return {**fields, "restarts_window": True}


def _unguarded(fields: Payload) -> Payload:
    """A rule was set without guards, which its absence in the fields says already."""
    return fields


def _without_runs(fields: Payload) -> Payload:
    """Assignments once named versions by their numbers alone."""
    return {**fields, "runs": []}


def _without_approval(fields: Payload) -> Payload:
    """No swap waited for an approval, which its absence in the rule says already."""
    return fields


def _without_parity(fields: Payload) -> Payload:
    """No guard looked at parity, and challengers were put in order by all games: the defaults of both."""
    return fields


def _without_operator(fields: Payload) -> Payload:
    """Who had ordered a move by hand was not recorded, which its absence in the fields says already."""
    return fields


UPCASTS: Mapping[tuple[str, int], Upcast] = {
    ("promotion.cycle_decided", 1): _without_statistics,
    ("promotion.cycle_decided", 2): _without_time,
    ("promotion.cycle_decided", 3): _without_guards,
    ("promotion.cycle_decided", 4): _without_windows,
    ("promotion.cycle_decided", 5): _without_approval,
    ("promotion.cycle_decided", 6): _without_parity,
    ("promotion.rule_set", 1): _unguarded,
    ("promotion.rule_set", 2): _restarting,
    ("promotion.rule_set", 3): _without_approval,
    ("promotion.rule_set", 4): _without_parity,
    ("promotion.aliases_planned", 1): _without_runs,
    ("promotion.aliases_planned", 2): _without_operator,
    ("promotion.aliases_assigned", 1): _without_runs,
    ("promotion.aliases_assigned", 2): _without_operator,
}
"""(wire name, schema version) -> the upcast that leads to the next version."""

# Raised by msgspec's decoder beside its own errors: invalid UTF-8, and nesting deeper than the stack.
DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Codec:
    """Encodes to the newest shape of each type; decodes every shape that its upcasts can lift."""

    def __init__(self, upcasts: Mapping[tuple[str, int], Upcast] = UPCASTS) -> None:
        self.upcasts = upcasts
        self.schema_versions = {wire_name(cls): 1 for cls in EVENT_CLASSES}
        for event_type, version in upcasts:
            assert version == 1 or (event_type, version - 1) in upcasts, "upcasts leave no version out"
            self.schema_versions[event_type] = max(self.schema_versions[event_type], version + 1)
        self._classes: dict[str, type[Event]] = {wire_name(cls): cls for cls in EVENT_CLASSES}
        self._types: dict[type, str] = {cls: wire_name(cls) for cls in EVENT_CLASSES}
        self._encode = msgspec.json.Encoder().encode
        self._decode: dict[str, Callable[[bytes], Event]] = {
            name: json_decoder(cls).decode for name, cls in self._classes.items()
        }
        self.newest: Mapping[tuple[str, int], Callable[[bytes], Event]] = {
            (name, version): self._decode[name] for name, version in self.schema_versions.items()
        }
        """(wire name, newest schema version) -> what decodes that, and raises one of DECODE_ERRORS.

        For a loop over many entries: what it fails on, `decode` explains.
        """

    def encode(self, event: Event) -> tuple[str, int, bytes]:
        """`event` as (wire name, schema version, JSON bytes).

        Constructors do not validate and NaN would be written as null, so the bytes are read back and
        compared: what goes into the ledger for ever is what the caller meant.

        Raises InvalidEventError.
        """
        event_type = self._types[type(event)]
        try:
            payload = self._encode(event)
            same = self._decode[event_type](payload) == event
        except (*DECODE_ERRORS, UnicodeEncodeError) as error:
            raise InvalidEventError(event_type, str(error)) from error
        if not same:
            raise InvalidEventError(event_type, "it does not read back as it was given")
        return event_type, self.schema_versions[event_type], payload

    def decode(self, event_type: str, schema_version: int, payload: bytes) -> Event:
        """The event behind stored bytes, in its newest shape. Raises UnreadableEventError."""
        decode = self.newest.get((event_type, schema_version))
        try:
            return decode(payload) if decode else self._lift(event_type, schema_version, payload)
        except (*DECODE_ERRORS, LookupError, TypeError, ValueError) as error:  # an upcast, of bytes gone bad
            raise UnreadableEventError(event_type, schema_version, str(error)) from error

    def _lift(self, event_type: str, schema_version: int, payload: bytes) -> Event:
        newest = self.schema_versions.get(event_type)
        if newest is None or not 1 <= schema_version < newest:
            problem = "unknown type" if newest is None else f"this release knows versions 1 to {newest}"
            raise UnreadableEventError(event_type, schema_version, problem)
        fields = _decode_payload(payload)
        for version in range(schema_version, newest):
            fields = self.upcasts[event_type, version](fields)
        return convert(fields, self._classes[event_type])
