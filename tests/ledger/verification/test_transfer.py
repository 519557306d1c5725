import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.chain import GENESIS, leaf, link
from ledger.engines.database import disposing, open_engine
from ledger.entries import Entry
from ledger.store import Ledger
from ledger.upgrade import upgrade
from ledger.verification.transfer import (
    ImportRefusedError,
    NotEmptyError,
    NotExportedError,
    export_lines,
    import_lines,
)
from ledger.verification.walk import verify
from tests.builders import game_started, one_of_each
from tests.postgresql import EVERY_ENGINE

pytestmark = EVERY_ENGINE


@pytest.fixture
def exported(ledger: Ledger) -> list[bytes]:
    for number, event in enumerate(one_of_each()):
        ledger.append(f"stream-{number}", [event, event], 0)
    return list(export_lines(ledger))


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger without events."""
    with disposing(open_engine(f"sqlite:///{tmp_path / 'new.db'}")) as engine:
        upgrade(engine)
        yield Ledger(engine)


def test_an_import_gives_the_same_log(exported: list[bytes], ledger: Ledger, new: Ledger) -> None:
    heard: list[int] = []

    assert import_lines(new, exported, heard.append) == len(exported) == sum(heard)

    assert new.read() == ledger.read()
    assert verify(new).intact
    assert list(export_lines(new)) == exported


def test_a_line_is_an_object_with_the_payload_in_it(exported: list[bytes], ledger: Ledger) -> None:
    line, entry = json.loads(exported[0]), ledger.read()[0]

    assert line["payload"] == json.loads(entry.payload)
    assert line["chain_hash"] == entry.chain_hash.hex()
    assert exported[0].count(b"\n") == 1


@pytest.mark.parametrize(
    "payload", [b"not JSON", b"\xff\xfe", b' {"a":1}', b'{"a":\n1}', b"", b"[1]", b'{"a":NaN}']
)
def test_payload_bytes_that_cannot_stand_in_a_line_survive(ledger: Ledger, new: Ledger, payload: bytes) -> None:
    """Whatever wrote them: an export keeps bytes, it does not judge them."""
    from_elsewhere = ledger.prepare("stream", [game_started()], 0)
    changed = type(from_elsewhere.events[0])(*from_elsewhere.events[0][:3], payload)
    ledger.append_all([type(from_elsewhere)("stream", (changed,), 0, keyed=False)])

    import_lines(new, export_lines(ledger))

    assert new.read()[0].payload == payload
    assert verify(new).intact


def test_a_ledger_that_is_not_empty_takes_no_import(exported: list[bytes], ledger: Ledger) -> None:
    with pytest.raises(NotEmptyError, match="already holds"):
        import_lines(ledger, exported)


def changed(line: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(line), **fields}, separators=(",", ":")).encode()


def test_a_line_that_does_not_fit_is_named_and_nothing_is_imported(exported: list[bytes], new: Ledger) -> None:
    spoiled = {
        "edited": [*exported[:4], changed(exported[4], recorded_us=1), *exported[5:]],
        "left out": exported[:4] + exported[5:],
        "twice": [*exported[:5], *exported[4:]],
        "swapped": [*exported[:4], exported[5], exported[4], *exported[6:]],
        "another hash": [*exported[:4], changed(exported[4], chain_hash="00" * 32), *exported[5:]],
    }

    for name, lines in spoiled.items():
        with pytest.raises(ImportRefusedError) as refused:
            import_lines(new, lines)
        assert (name, refused.value.line) in {(name, 5), ("twice", 6)}
        assert new.head().position == 0


def test_a_version_that_does_not_follow_is_named_with_its_line(exported: list[bytes], new: Ledger) -> None:
    """An intruder who exports from a changed log can compute hashes that fit."""
    spoiled, previous = [], GENESIS
    for number, line in enumerate(exported, start=1):
        fields = {**json.loads(line), "version": 9} if number == 5 else json.loads(line)
        payload = exported[number - 1].partition(b'"payload":')[2].removesuffix(b"}\n")
        entry = Entry._make([*(fields[name] for name in Entry._fields[:7]), payload, b""])
        previous = link(previous, leaf(*entry[:-1]))
        spoiled.append(changed(line, version=fields["version"], chain_hash=previous.hex()))

    with pytest.raises(
        ImportRefusedError, match="line 5: version 9 of stream 'stream-2' follows version 0"
    ) as refused:
        import_lines(new, spoiled)

    assert refused.value.line == 5


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b'{"position":1,"event_id":"a","stream":"s","version":1,"type":"t","schema_version":9223372036854775808,'
        b'"recorded_us":1,"chain_hash":"00","payload":{}}',
        b"{}",
        b"\xff",
        b"null",
        b'{"position":1}',
        b"[" * 20_000,
        b'{"position":1,"event_id":"a","stream":"s","version":1,"type":"t","schema_version":1,"recorded_us":1,'
        b'"chain_hash":"zz","payload":{}}',
        b'{"position":1,"event_id":"a","stream":"s","version":-1,"type":"t","schema_version":1,"recorded_us":1,'
        b'"chain_hash":"00","payload":{}}',
        b'{"position":1,"event_id":"a","stream":"s","version":1,"type":"t","schema_version":1,"recorded_us":1,'
        b'"chain_hash":"00","payload_base64":"?"}',
    ],
)
def test_what_is_no_export_is_refused(new: Ledger, line: bytes) -> None:
    with pytest.raises(NotExportedError, match="line 1: it is no exported entry"):
        import_lines(new, [line])


def test_an_import_is_on_disk(exported: list[bytes], new: Ledger) -> None:
    import_lines(new, exported)

    assert new.engine.url.database
    with closing(sqlite3.connect(new.engine.url.database)) as connection:
        assert connection.execute("SELECT seq FROM sqlite_sequence").fetchone() == (len(exported),)
