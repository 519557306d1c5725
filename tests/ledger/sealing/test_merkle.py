import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.sealing.merkle import EMPTY_ROOT, CompactRange, inclusion_path, leaf_hash, node_hash, root_from_path

LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
# The reference roots of RFC 6962's tree over the first n of these leaves, as its implementations test them.
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)

sizes = st.integers(0, 70)


def described_root(data: list[bytes]) -> bytes:
    """The tree hash as the RFC describes it, by recursion."""
    if len(data) < 2:
        return leaf_hash(data[0]) if data else EMPTY_ROOT
    split = 1 << (len(data) - 1).bit_length() - 1
    return node_hash(described_root(data[:split]), described_root(data[split:]))


def numbered(size: int) -> list[bytes]:
    return [number.to_bytes(2, "big") for number in range(size)]


def edge_over(data: list[bytes]) -> CompactRange:
    edge = CompactRange()
    edge.extend(data)
    return edge


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_a_root_is_the_reference_s(size: int) -> None:
    assert edge_over(LEAVES[:size]).root().hex() == ROOTS[size]


@given(st.lists(st.integers(0, 20), max_size=12))
def test_an_edge_gives_the_same_root_in_however_many_steps(steps: list[int]) -> None:
    data = numbered(sum(steps))
    edge = CompactRange()

    for step in steps:
        edge.extend(data[edge.size : edge.size + step])

    assert edge.size == len(data)
    assert edge.root() == described_root(data)


@given(sizes, sizes)
def test_an_edge_goes_on_after_it_was_stored(before: int, after: int) -> None:
    data = numbered(before + after)
    stored = edge_over(data[:before]).encode()

    edge = CompactRange.decode(before, stored)
    edge.extend(data[before:])

    assert edge.root() == described_root(data)
    assert len(stored) == before.bit_count() * 32


@pytest.mark.parametrize(("size", "hashes"), [(1, b""), (2, bytes(64)), (3, bytes(32)), (0, bytes(32)), (-1, b"")])
def test_an_edge_of_the_wrong_length_is_refused(size: int, hashes: bytes) -> None:
    with pytest.raises(ValueError, match="hashes"):
        CompactRange.decode(size, hashes)


@given(st.data())
def test_a_path_leads_from_a_leaf_to_the_root(data: st.DataObject) -> None:
    leaves = numbered(data.draw(st.integers(1, 70)))
    index = data.draw(st.integers(0, len(leaves) - 1))

    path = inclusion_path(leaves, index)

    assert root_from_path(leaves[index], index, len(leaves), path) == described_root(leaves)


@given(st.data())
def test_a_path_of_another_leaf_place_or_size_does_not_lead_there(data: st.DataObject) -> None:
    leaves = numbered(data.draw(st.integers(2, 40)))
    index = data.draw(st.integers(0, len(leaves) - 1))
    other = data.draw(st.integers(0, len(leaves) - 1).filter(lambda number: number != index))
    root, path = described_root(leaves), inclusion_path(leaves, index)

    def leads(leaf: bytes, place: int, size: int) -> bool:
        try:
            return root_from_path(leaf, place, size, path) == root
        except ValueError:
            return False

    assert not leads(leaves[other], index, len(leaves))
    assert not leads(leaves[index], other, len(leaves))
    assert not leads(leaves[index], index, 4 * len(leaves))
    assert not leads(leaves[index], len(leaves), len(leaves))


@pytest.mark.parametrize("path", [[], [bytes(32)] * 2])
def test_a_path_of_the_wrong_length_is_refused(path: list[bytes]) -> None:
    with pytest.raises(ValueError, match="path"):
        root_from_path(b"a", 0, 2, path)
