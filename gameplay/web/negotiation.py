"""Content negotiation by `Accept` and `Accept-Encoding`, as in RFC 9110, sections 12.4 and 12.5."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

Coding = Literal["gzip", "identity"]

TEXT: Final = ("charset", "header")
"""Parameters of text that are the same in all our answers: to ask for them is no reason to get JSON."""

# A comma or a semicolon within quotes separates nothing.
_ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
_PART = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*"?)+')
_QUALITY = re.compile(r"[0-9]+(?:\.[0-9]*)?").fullmatch


class Preference(NamedTuple):
    """One element of a header, in lower case: a value or a range, its parameters, and its weight from 0 to 1."""

    value: str
    parameters: Mapping[str, str]
    quality: float


def preferences(headers: Iterable[str]) -> Iterator[Preference]:
    """The elements of a header's lines, without those whose weight is no number."""
    for element in _ELEMENT.findall(",".join(headers)):
        value, *parts = [part.strip().lower() for part in _PART.findall(element)] or [""]
        parameters = {name.strip(): _unquoted(text.strip()) for name, _, text in (p.partition("=") for p in parts)}
        quality = parameters.pop("q", "1")
        if value and _QUALITY(quality):
            yield Preference(value, parameters, min(float(quality), 1.0))


def coding(headers: Sequence[str]) -> Coding | None:
    """The coding that the lines of `Accept-Encoding` prefer; None if they accept neither."""
    given = {one.value: one.quality for one in preferences(headers)}
    anything = given.get("*")
    gzip = given.get("gzip", given.get("x-gzip", anything or 0.0))
    # A header that does not speak of identity leaves it acceptable, but prefers what it names.
    identity = given.get("identity", 0.0 if anything is None else anything)
    if gzip > 0 and gzip >= identity:
        return "gzip"
    refused = identity == 0 and ("identity" in given or anything is not None)
    return None if refused else "identity"


def media_type(headers: Sequence[str], offers: Sequence[str], *, ignored: Collection[str] = ()) -> str | None:
    """The offer that the lines of `Accept` prefer, the first of equals; the first of all without such a header.

    An offer is a media type with its parameters. The most specific range that matches it gives its weight;
    parameters in `ignored` do not keep a range from matching. None if no offer is acceptable.
    """
    ranges = list(preferences(headers))
    if not ranges:
        return offers[0]
    weights = {offer: _weight(next(preferences([offer])), ranges, ignored) for offer in offers}
    best = max(offers, key=weights.__getitem__)
    return best if weights[best] > 0 else None


def _weight(offer: Preference, ranges: Iterable[Preference], ignored: Collection[str]) -> float:
    levels = ("*/*", f"{offer.value.partition('/')[0]}/*", offer.value)
    found = []
    for one in ranges:
        parameters = {name: text for name, text in one.parameters.items() if name not in ignored}
        if one.value in levels and parameters.items() <= offer.parameters.items():
            found.append((levels.index(one.value), len(parameters), one.quality))
    return max(found)[2] if found else 0.0


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if len(text) > 1 and text[0] == text[-1] == '"' else text
