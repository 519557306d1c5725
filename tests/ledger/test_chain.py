import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain import GENESIS, leaf, link
from ledger.entries import Entry
from ledger.store import Ledger
from tests.builders import one_of_each
from tests.ledger.chains import assert_intact, expected_leaf

integers = st.integers(0, 2**63 - 1)
columns = st.builds(
    Entry,
    position=integers,
    event_id=st.text(),
    stream=st.text(),
    version=integers,
    type=st.text(),
    schema_version=integers,
    recorded_us=integers,
    payload=st.binary(),
    chain_hash=st.just(GENESIS),
)


def leaf_of(entry: Entry) -> bytes:
    return leaf(*entry[:-1])


def test_stored_rows_are_chained_as_described(ledger: Ledger) -> None:
    for index, event in enumerate(one_of_each()):
        ledger.append(f"game-{index % 3}", [event, event], index // 3 * 2)

    entries = ledger.read()

    assert len(entries) == 2 * len(one_of_each())
    assert_intact(entries)
    head = (entries[-1].position, entries[-1].chain_hash, entries[-1].recorded_us)
    assert ledger.head() == head


def test_genesis_is_before_the_first_entry(ledger: Ledger) -> None:
    assert bytes(32) == GENESIS
    assert ledger.head() == (0, GENESIS, 0)


def test_a_known_entry_has_a_known_hash() -> None:
    hashed = leaf(1, "id", "game-g1", 1, "game.started", 1, 1_700_000_000_000_000, b"{}")

    assert hashed.hex() == "b887c75dd0053620ae5d0c653a360ef70eed88b31a3b270cb7178b88f4cfd391"
    assert link(GENESIS, hashed).hex() == "2e687b7d1af5aa71942350f41b780a0c2c066cc3c1dd4189d189cc68cfbe9b51"


@given(columns)
def test_a_leaf_covers_the_columns_in_order(entry: Entry) -> None:
    assert leaf_of(entry) == expected_leaf(entry)


@given(columns, columns, st.sampled_from(Entry._fields[:-1]))
def test_changing_any_column_changes_the_leaf(entry: Entry, other: Entry, column: str) -> None:
    changed = entry._replace(**{column: getattr(other, column)})

    assert (leaf_of(changed) == leaf_of(entry)) == (changed == entry)


NEIGHBOURS = [("event_id", "stream"), ("stream", "type"), ("event_id", "type")]


@pytest.mark.parametrize(("left", "right"), NEIGHBOURS)
@given(entry=columns, moved=st.text(min_size=1))
def test_moving_text_to_a_neighbour_changes_the_leaf(left: str, right: str, entry: Entry, moved: str) -> None:
    before = entry._replace(**{left: getattr(entry, left) + moved})
    after = entry._replace(**{right: moved + getattr(entry, right)})

    assert leaf_of(before) != leaf_of(after)


@given(entry=columns, moved=st.text(min_size=1))
def test_moving_text_from_the_type_to_the_payload_changes_the_leaf(entry: Entry, moved: str) -> None:
    before = entry._replace(type=entry.type + moved)
    after = entry._replace(payload=moved.encode() + entry.payload)

    assert leaf_of(before) != leaf_of(after)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_a_link_covers_all_that_was_before(previous: bytes, leaf_hash: bytes) -> None:
    assert link(previous, leaf_hash) == hashlib.sha256(previous + leaf_hash).digest()
