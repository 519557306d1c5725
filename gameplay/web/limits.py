"""How long, how large and how many: what a client may take of the service. Tests make them small."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Every limit of the HTTP side."""

    connections: int = 10_000
    """Fewer where there are not as many descriptors."""
    header_seconds: float = 10.0
    """From a connection's begin, or a request's first byte on one that was idle, to the end of the header."""
    header_bytes: int = 64 * 1024
    headers: int = 200
    body_seconds: float = 30.0
    body_bytes: int = 1 << 20
    keep_alive_seconds: int = 75
    """Longer than a scrape interval, so that a scraper keeps its connection."""
    write_seconds: float = 30.0
    """How long a client may leave an answer unread."""
    linger_seconds: float = 5.0
    """How long what a client still sends is read and dropped, so that it sees why it was refused."""
    wait_seconds: float = 4.0
    """How long a request waits for a place in its lane."""
    reads: int = 8
    writes: int = 8
    outside: int = 4


DEFAULTS = Limits()
