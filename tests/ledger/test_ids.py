import time
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.ids import keyed_id, new_id


def test_a_new_id_is_a_uuid_of_version_7() -> None:
    earliest_ms = time.time_ns() // 1_000_000
    text = new_id()
    latest_ms = time.time_ns() // 1_000_000

    parsed = UUID(text)

    assert str(parsed) == text
    assert parsed.version == 7
    assert parsed.variant == RFC_4122
    assert earliest_ms <= parsed.int >> 80 <= latest_ms


def test_new_ids_sort_by_their_time() -> None:
    ids = []
    for _ in range(5):
        ids.append(new_id())
        time.sleep(0.002)

    assert ids == sorted(ids)


def test_new_ids_of_one_moment_differ() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_a_keyed_id_is_the_same_for_ever() -> None:
    # Clients retry with their keys across releases: another derivation would play their moves twice.
    assert keyed_id("/play", "key") == "34651165-3c95-5bd1-82d5-9bdc91483cf3"
    assert keyed_id("/play", "key", 1) == "a571b2b9-717b-584f-a55f-0ec45785e394"


keys = st.tuples(st.sampled_from(["/play", "/game", "/play/"]), st.text(), st.integers(0, 100))


@given(keys, keys)
def test_keyed_ids_are_equal_for_equal_keys_alone(one: tuple[str, str, int], other: tuple[str, str, int]) -> None:
    assert (keyed_id(*one) == keyed_id(*other)) == (one == other)


@pytest.mark.parametrize(("key", "index"), [("key\n0", 0), ("0", 0), ("", 1)])
def test_a_key_cannot_pose_as_another(key: str, index: int) -> None:
    others = [("key", 0), ("0\n0", 0), ("0", 1), ("", 0), ("1", 0), ("\n1", 0)]

    assert keyed_id("/play", key, index) not in [keyed_id("/play", *other) for other in others]
