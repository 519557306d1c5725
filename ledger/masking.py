"""Secrets, kept out of everything that is printed, answered, logged or recorded."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus

MASK = "***"
LENGTH_MIN = 3
"""A shorter secret is none: to mask it would take letters out of every sentence."""

_USERINFO = re.compile(r"(?<=://)[^\s/?#@]*@")
_PARAMETER = re.compile(
    r"(?i)(?<=[?&;])([\w.-]*(?:password|passwd|secret|token|key|credential)[\w.-]*=)[^&;#\s'\"]+"
)
_ESCAPE = re.compile(r"%[0-9A-F]{2}")


class Masking:
    """Replaces secrets in a text: those it was given, in every form that libraries write, and those in addresses.

    A library repeats an address as it parsed it, encoded it, or put it into a header or a JSON text; so each
    secret is looked for as it is, percent-encoded, escaped and, where it is in an address, as a header has it.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= LENGTH_MIN}
        # The longest first: a secret may be the beginning of another one.
        self._forms = sorted(forms, key=lambda form: (-len(form), form))

    def __call__(self, text: str) -> str:
        """The text without its secrets."""
        for form in self._forms:
            text = text.replace(form, MASK)
        if "://" not in text and "=" not in text:
            return text
        return _PARAMETER.sub(rf"\1{MASK}", _USERINFO.sub(f"{MASK}@", text))


mask_addresses = Masking()
"""For texts of which no secret is known: takes the credentials out of addresses."""


def credentials(address: str) -> Iterator[str]:
    """What is secret in an address: its password, or a user without one, and parameters that say so themselves."""
    before, scheme, after = address.partition("://")
    rest = after if scheme else before  # without a scheme it is no address, and may hold a password all the same
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    userinfo = authority.rpartition("@")[0]
    # A role of PostgreSQL's is a name; alone in another address a user is a token.
    if scheme and not (before.startswith("postgresql") and ":" not in userinfo):
        yield from _userinfo(userinfo)
    # A password that should have been encoded may hold any sign: libraries part it at different ones.
    user, _, password = rest.rpartition("@")[0].partition(":")
    if password and not re.split(r"[/?#]", password)[0].isdecimal():
        yield from _userinfo(f"{user}:{password}")
        if "@" not in authority:
            yield from re.split(r"[@/?#]", password)
    for found in _PARAMETER.finditer(address):
        yield found[0].partition("=")[2]


def _userinfo(userinfo: str) -> Iterator[str]:
    if userinfo:
        user, _, password = userinfo.partition(":")
        yield userinfo
        yield password or user
        yield base64.b64encode(unquote(userinfo).encode("utf-8", "replace")).decode()


def _forms(secret: str) -> set[str]:
    plain = {secret, unquote(secret), unquote_plus(secret)}
    encoded = {form for one in plain for form in _encoded(one)}
    escaped = {form for one in plain | encoded for form in _escaped(one)}
    return plain | encoded | escaped


def _encoded(secret: str) -> Iterator[str]:
    for form in (quote(secret, safe="", errors="replace"), quote(secret, errors="replace"), _plus(secret)):
        yield form
        yield _ESCAPE.sub(lambda found: found[0].lower(), form)


def _plus(secret: str) -> str:
    return quote_plus(secret, errors="replace")


def _escaped(secret: str) -> Iterator[str]:
    yield repr(secret)[1:-1]
    yield ascii(secret)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield html.escape(secret)
