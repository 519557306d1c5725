"""What the text of each kind of setting means; a ValueError says what to write instead."""

import base64
import ipaddress
import re
from typing import Literal, get_args
from urllib.parse import urlsplit

from gameplay.cron import Crontab
from gameplay.log_style import FORMATS, LEVELS
from ledger.numbers import parse_alpha, parse_decimal, parse_whole
from ledger.vocabulary import (
    ALIASES,
    FAMILIES,
    PLAYER_KINDS,
    Alias,
    CountedPlayers,
    EvidenceWindow,
    Family,
    PlayerKind,
)
from projections.decision.rules import KNOWN_RULES

Role = Literal["all", "play", "projector"]
ROLES: tuple[Role, ...] = get_args(Role)
COUNT_MAX = 1_000_000_000

_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f]*:[0-9a-f]*:[0-9a-f:]*").fullmatch
_ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*").fullmatch
_ORIGIN = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?").fullmatch


def text(value: str) -> str:
    return value


def flag(value: str) -> bool:
    words = {
        "true": True,
        "1": True,
        "yes": True,
        "on": True,
        "false": False,
        "0": False,
        "no": False,
        "off": False,
    }
    if value.lower() not in words:
        raise ValueError("write true or false")
    return words[value.lower()]


def share(value: str) -> float:
    share = float(parse_decimal(value))
    if not 0 <= share <= 1:
        raise ValueError("must lie between 0 and 1")
    return share


def alpha(value: str) -> str:
    """Kept as the decimal it was written as, so that a decision records it exactly."""
    parse_alpha(value)
    return value


def natural(value: str) -> int:
    number = parse_whole(value)
    if not 1 <= number <= COUNT_MAX:
        raise ValueError(f"must lie between 1 and {COUNT_MAX}")
    return number


def count(value: str) -> int:
    number = parse_whole(value)
    if not 0 <= number <= COUNT_MAX:
        raise ValueError(f"must lie between 0 and {COUNT_MAX}")
    return number


def address(value: str) -> str:
    """An address of HTTP, whose path may be a secret."""
    try:
        parts = urlsplit(value)
        plain = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        plain = False
    if not plain or parts.username is not None or parts.fragment or not value.isprintable() or " " in value:
        raise ValueError("write an address such as https://hooks.example/rps, without a user name")
    try:
        (parts.hostname or "").encode("idna")
    except UnicodeError:
        raise ValueError("no host has such a name: each part between two dots has 1 to 63 letters") from None
    return value


def webhook_secret(value: str) -> str:
    """A key of Standard Webhooks: 24 to 64 random bytes."""
    try:
        size = len(base64.b64decode(value.removeprefix("whsec_"), validate=True))
    except ValueError:
        size = 0
    if not (value.startswith("whsec_") and 24 <= size <= 64):
        raise ValueError("write whsec_ and the base64 of 24 to 64 random bytes")
    return value


def port(value: str) -> int:
    port = parse_whole(value)
    if not 0 <= port <= 65_535:
        raise ValueError("must be a port number")
    return port


def schedule(value: str) -> str | None:
    if value.lower() == "off":
        return None
    Crontab(value)
    return value


def rules(value: str) -> tuple[tuple[Family, str], ...]:
    """(family, rule): one rule for all, or several `family=rule`."""
    chosen: dict[Family, str] = {}
    for word in value.replace(",", " ").split():
        family, named, rule = word.rpartition("=")
        if rule not in KNOWN_RULES:
            raise ValueError(f"{rule!r} is no rule: there are {', '.join(KNOWN_RULES)}")
        families = [one for one in FAMILIES if one == family or not named]
        if not families:
            raise ValueError(f"{family!r} is no family: there are {', '.join(FAMILIES)}")
        if twice := [one for one in families if one in chosen]:
            raise ValueError(f"it names two rules for {', '.join(twice)}")
        chosen |= dict.fromkeys(families, rule)
    if not chosen:
        raise ValueError(f"write one of {', '.join(KNOWN_RULES)}, or such as xgboost={KNOWN_RULES[-1]}")
    return tuple(chosen.items())


def kinds(value: str) -> frozenset[PlayerKind]:
    words = value.replace(",", " ").split()
    unknown = sorted(set(words) - set(PLAYER_KINDS))
    if unknown or not words:
        raise ValueError(f"write any of {' '.join(PLAYER_KINDS)}, not {' '.join(unknown) or 'nothing'}")
    return frozenset(kind for kind in PLAYER_KINDS if kind in words)


def aliases(value: str) -> frozenset[Alias]:
    words = value.replace(",", " ").split()
    unknown = sorted(set(words) - set(ALIASES))
    if unknown or not words:
        raise ValueError(f"write any of {' '.join(ALIASES)}, not {' '.join(unknown) or 'nothing'}")
    return frozenset(alias for alias in ALIASES if alias in words)


def role(value: str) -> Role:
    if value not in ROLES:
        raise ValueError(f"write one of {', '.join(ROLES)}")
    return value


def _words(value: str) -> list[str]:
    return value.replace(",", " ").lower().split()


def hosts(value: str) -> frozenset[str]:
    for host in _words(value):
        if not _HOST(host):
            raise ValueError(f"{host!r} is no host name: write names without scheme, port and path")
    return frozenset(_words(value))


def origins(value: str) -> frozenset[str]:
    for origin in _words(value):
        if not _ORIGIN(origin):
            raise ValueError(f"{origin!r} is no origin: write a scheme and a host, such as https://play.example")
    return frozenset(_words(value))


def evidence(value: str) -> str:
    return _one_of(get_args(EvidenceWindow), value)


def players(value: str) -> str:
    return _one_of(get_args(CountedPlayers), value)


def approval(value: str) -> str:
    return _one_of(("off", "swap"), value)


def log_format(value: str) -> str:
    return _one_of(FORMATS, value)


def log_level(value: str) -> str:
    return _one_of(LEVELS, value)


def _one_of(words: tuple[str, ...], value: str) -> str:
    if value.lower() not in words:
        raise ValueError(f"write one of {', '.join(words)}")
    return value.lower()


def root_path(value: str) -> str:
    path = value.rstrip("/")
    if not _ROOT_PATH(path):
        raise ValueError("write a path such as /rps")
    return path


def networks(value: str) -> str:
    """Addresses and networks, as uvicorn reads them; the empty text trusts none."""
    listed = value.replace(",", " ").split()
    for one in listed:
        try:
            _ = one == "*" or ipaddress.ip_network(one)
        except ValueError as error:
            raise ValueError(f"write addresses or networks such as 10.0.0.0/8, or *, not {one}") from error
    return ",".join(listed)


def ancestors(value: str) -> str:
    """As the header has it: the word self and origins."""
    words = _words(value)
    for word in words:
        if word not in ("self", "none") and not _ORIGIN(word):
            raise ValueError(f"{word!r} is neither self, none nor an origin such as https://grafana.example")
    if not words or ("none" in words and len(words) > 1):
        raise ValueError("write none alone, or self and origins")
    return " ".join(f"'{word}'" if word in ("self", "none") else word for word in words)
