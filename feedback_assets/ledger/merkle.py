"""The Merkle tree of RFC 6962, section 2.1: root, proofs, and what checks them.

A leaf is the SHA-256 of a record. Everything that needs parts of a tree takes a function
`subtree(level, place)`: the hash over the leaves `place * 2**level` up to, not including,
`(place + 1) * 2**level`. Whoever has leaves only makes one with `over`.
"""

import hashlib
from collections.abc import Callable, Sequence

Subtree = Callable[[int, int], bytes]

EMPTY_ROOT = hashlib.sha256().digest()
"""The root of no records."""


def leaf_hash(content: bytes) -> bytes:
    """Hash of one leaf: a zero byte keeps it apart from inner nodes."""
    return hashlib.sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Growing:
    """A tree to which leaves are added: it keeps one hash for each power of two."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []
        self._completed: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        done, completed = self.size, [leaf]
        while done & 1:
            completed.append(node_hash(self._peaks.pop(), completed[-1]))
            done >>= 1
        self._peaks.append(completed[-1])
        self._completed = completed
        self.size += 1

    def root(self) -> bytes:
        """Root of what was added so far."""
        if not self._peaks:
            return EMPTY_ROOT
        found = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            found = node_hash(peak, found)
        return found

    def subtree(self, level: int) -> bytes:
        """The complete subtree of `2**level` leaves that the newest leaf has just completed."""
        return self._completed[level]


def over(leaves: Sequence[bytes]) -> Subtree:
    """The subtrees over leaf hashes that are all in memory."""

    def subtree(level: int, place: int) -> bytes:
        return complete(leaves[place << level : (place + 1) << level])

    return subtree


def complete(hashes: Sequence[bytes]) -> bytes:
    """Hash over `2**n` neighbouring hashes of one level."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def root(size: int, subtree: Subtree) -> bytes:
    """Root of the first `size` leaves."""
    return _span(0, size, subtree) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """The audit path of a leaf (its index from 0) in the tree of `size` leaves.

    Raises:
        ValueError: The leaf is not in the tree.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    path: list[bytes] = []
    first, last = 0, size
    while last - first > 1:
        middle = first + _split(last - first)
        if index < middle:
            path.append(_span(middle, last, subtree))
            last = middle
        else:
            path.append(_span(first, middle, subtree))
            first = middle
    return path[::-1]


def consistency_proof(old: int, size: int, subtree: Subtree) -> list[bytes]:
    """What shows that the tree of `size` leaves begins with the one of `old` leaves.

    Raises:
        ValueError: `old` is 0 or more than `size`.
    """
    if not 0 < old <= size:
        raise ValueError(f"a tree of {size} cannot continue one of {old}")
    path: list[bytes] = []
    first, last, whole = 0, size, True
    while old != last:
        middle = first + _split(last - first)
        if old <= middle:
            path.append(_span(middle, last, subtree))
            last = middle
        else:
            path.append(_span(first, middle, subtree))
            first, whole = middle, False
    if not whole:
        path.append(_span(first, last, subtree))
    return path[::-1]


def check_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes
) -> bool:
    """Whether a proof shows the leaf's hash at this place below this root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(step, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, step)
        place, last = place >> 1, last >> 1
    return last == 0 and found == expected


def check_consistency(
    old: int, size: int, path: Sequence[bytes], old_root: bytes, new_root: bytes
) -> bool:
    """Whether a proof shows that one root's tree begins with the other's (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= size:
        return False
    if old == size:
        return not path and old_root == new_root
    steps = list(path) if old & (old - 1) else [old_root, *path]
    if not steps:
        return False
    place, last = old - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = node_hash(after, step)
        place, last = place >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _span(first: int, last: int, subtree: Subtree) -> bytes:
    """Hash over the leaves from `first` up to `last`, a subtree of some larger tree."""
    count = last - first
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return subtree(level, first >> level)
    middle = first + _split(count)
    return node_hash(_span(first, middle, subtree), _span(middle, last, subtree))


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)
