"""Limits on what a client may take of the service. Tests make them small."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """All limits of the HTTP side."""

    connections: int = 10_000
    """Fewer if the process may not open as many descriptors."""
    header_seconds: float = 10.0
    """From the start of a connection, or from the first byte after an idle time, to the end of the header."""
    header_bytes: int = 64 * 1024
    headers: int = 200
    body_seconds: float = 30.0
    body_bytes: int = 1 << 20
    keep_alive_seconds: int = 75
    """Longer than a scrape interval, so that a scraper keeps its connection."""
    write_seconds: float = 30.0
    """How long a client may leave an answer unread."""
    linger_seconds: float = 5.0
    """How long the server goes on reading after a refusal, so that the client sees it."""
    streams: int = 50
    """Answers without an end of their own that are given at once."""
    heartbeat_seconds: float = 15.0
    """After so long without an event a stream says that it is still there."""
    wait_seconds: float = 4.0
    """How long a request waits for a place in its lane."""
    reads: int = 8
    writes: int = 8
    outside: int = 4
    past: int = 8


DEFAULTS = Limits()
