"""The Merkle tree of RFC 6962 over the entries' leaves: roots, and proofs that one leaf is in a root. Pure.

A leaf's data is the entry's leaf hash as `ledger.chain` defines it. The chain proves the order to a reader of the
whole log; the tree proves one entry to a reader of a few dozen hashes.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """A leaf of the tree; the prefix keeps leaves and inner nodes from being taken for one another."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """An inner node over its two children."""
    return sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The compact range of a growing tree: one root for each complete subtree that still waits for a partner.

    It stands for all the leaves so far: fewer than 64 hashes, however many leaves there were.
    """

    def __init__(self) -> None:
        self.size = 0
        self._waiting: list[bytes | None] = []

    def extend(self, data: Iterable[bytes]) -> None:
        """Add leaves, given by their data. A level at a time: leaf by leaf would cost twice as much."""
        level = [sha256(b"\x00" + one).digest() for one in data]
        self.size += len(level)
        height = 0
        while level:
            if height == len(self._waiting):
                self._waiting.append(None)
            if (partner := self._waiting[height]) is not None:
                level.insert(0, partner)
            self._waiting[height] = level.pop() if len(level) % 2 else None
            level = [
                sha256(b"\x01" + left + right).digest()
                for left, right in zip(level[::2], level[1::2], strict=True)
            ]
            height += 1

    def root(self) -> bytes:
        """The tree's root over everything added."""
        root: bytes | None = None
        for waiting in self._waiting:
            if waiting is not None:
                root = waiting if root is None else node_hash(waiting, root)
        return EMPTY_ROOT if root is None else root

    def encode(self) -> bytes:
        """The hashes, largest subtree first; the size says which subtrees they are of."""
        return b"".join(waiting for waiting in reversed(self._waiting) if waiting is not None)

    @classmethod
    def decode(cls, size: int, hashes: bytes) -> "CompactRange":
        """The compact range of `size` leaves. Raises ValueError when it cannot have so many hashes."""
        range_ = cls()
        range_.size = size
        if size < 0 or len(hashes) != size.bit_count() * HASH_BYTES:
            raise ValueError(f"the compact range of {size} leaves has {size.bit_count()} hashes")
        rest = iter(range(len(hashes) - HASH_BYTES, -1, -HASH_BYTES))
        for height in range(size.bit_length()):
            start = next(rest) if size >> height & 1 else None
            range_._waiting.append(None if start is None else hashes[start : start + HASH_BYTES])
        return range_


def inclusion_path(data: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from the leaf at `index` (the first is 0) to the root over all of `data`."""
    assert 0 <= index < len(data)
    level = [leaf_hash(one) for one in data]
    path: list[bytes] = []
    while len(level) > 1:
        if (sibling := index ^ 1) < len(level):
            path.append(level[sibling])
        above = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
        # A node without a sibling moves up as it is: the tree's left part is always the complete one.
        level = above + level[len(level) & ~1 :]
        index //= 2
    return path


def root_from_path(data: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that a path leads to from the leaf at `index` in a tree of `size` leaves.

    Raises ValueError when a path of this length cannot belong to such a tree.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    root, rest, last = leaf_hash(data), list(path), size - 1
    while last:
        if index % 2 or index < last:
            if not rest:
                raise ValueError("the path is too short")
            sibling = rest.pop(0)
            root = node_hash(sibling, root) if index % 2 else node_hash(root, sibling)
        index, last = index // 2, last // 2
    if rest:
        raise ValueError("the path is too long")
    return root
