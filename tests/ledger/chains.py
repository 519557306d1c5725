"""A second implementation of the chain, written from its description alone."""

import hashlib

from ledger.entries import Entry


def field(value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        value = value.to_bytes(8, "big")
    elif isinstance(value, str):
        value = value.encode("utf-8")
    return len(value).to_bytes(4, "big") + value


def expected_leaf(entry: Entry) -> bytes:
    return hashlib.sha256(b"".join(field(column) for column in entry[:-1])).digest()


def assert_intact(entries: list[Entry]) -> None:
    """Positions and stream versions are dense, time does not run back, every hash is as described."""
    previous, recorded_us, versions = bytes(32), 0, dict[str, int]()
    for position, entry in enumerate(entries, start=1):
        assert entry.position == position
        assert entry.version == versions.get(entry.stream, 0) + 1
        assert entry.recorded_us >= recorded_us
        assert entry.chain_hash == hashlib.sha256(previous + expected_leaf(entry)).digest()
        previous, recorded_us = entry.chain_hash, entry.recorded_us
        versions[entry.stream] = entry.version
    assert len({entry.event_id for entry in entries}) == len(entries)
