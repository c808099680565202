"""The tree of RFC 6962: the published values, and every proof against a tree built by definition."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_assets.ledger import merkle

# The test leaves and roots of Certificate Transparency's reference implementation.
LEAVES = [bytes.fromhex(text) for text in
          ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
           "606162636465666768696a6b6c6d6e6f")]  # fmt: skip
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}

Sizes = st.integers(1, 200)


def hashes(size: int) -> list[bytes]:
    return [merkle.leaf_hash(str(n).encode()) for n in range(size)]


def by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word by word."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + by_definition(leaves[:k]) + by_definition(leaves[k:])).digest()


@pytest.mark.parametrize(("size", "root"), ROOTS.items())
def test_roots_are_the_published_ones(size: int, root: str) -> None:
    leaves = [merkle.leaf_hash(leaf) for leaf in LEAVES[:size]]
    assert merkle.root(size, merkle.over(leaves)).hex() == root
    growing = merkle.Growing()
    for leaf in leaves:
        growing.add(leaf)
    assert growing.root().hex() == root


def test_no_leaf_has_the_hash_of_nothing_as_root() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.root(0, merkle.over([])).hex() == empty == merkle.Growing().root().hex()


@given(Sizes)
def test_both_ways_give_the_root_by_definition(size: int) -> None:
    leaves = hashes(size)
    growing = merkle.Growing()
    for number, leaf in enumerate(leaves, start=1):
        growing.add(leaf)
        for level in range((number & -number).bit_length()):
            assert growing.subtree(level) == by_definition(leaves[number - (1 << level) : number])
    assert growing.root() == merkle.root(size, merkle.over(leaves)) == by_definition(leaves)


@given(Sizes, st.data())
def test_an_inclusion_proof_shows_its_leaf_and_nothing_else(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = hashes(size)
    root = by_definition(leaves)
    path = merkle.inclusion_proof(index, size, merkle.over(leaves))
    assert merkle.check_inclusion(leaves[index], index, size, path, root)
    assert not merkle.check_inclusion(merkle.leaf_hash(b"x"), index, size, path, root)
    assert not merkle.check_inclusion(leaves[index], index, size, path, bytes(32))
    assert not merkle.check_inclusion(leaves[index], index, size, [*path, bytes(32)], root)
    assert not path or not merkle.check_inclusion(leaves[index], index, size, path[:-1], root)
    other = data.draw(st.integers(0, size - 1))
    assert other == index or not merkle.check_inclusion(leaves[index], other, size, path, root)
    wrong = data.draw(st.integers(0, max(0, len(path) - 1)))
    if path:
        bent = [*path[:wrong], merkle.leaf_hash(path[wrong]), *path[wrong + 1 :]]
        assert not merkle.check_inclusion(leaves[index], index, size, bent, root)


@given(Sizes, st.data())
def test_a_consistency_proof_shows_growth_and_nothing_else(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    leaves = hashes(size)
    before, after = by_definition(leaves[:old]), by_definition(leaves)
    path = merkle.consistency_proof(old, size, merkle.over(leaves))
    assert merkle.check_consistency(old, size, path, before, after)
    changed = by_definition([merkle.leaf_hash(b"x"), *leaves[1:old]])
    assert not merkle.check_consistency(old, size, path, changed, after)
    assert not merkle.check_consistency(old, size, path, before, bytes(32))
    assert not merkle.check_consistency(old, size, [*path, bytes(32)], before, after)
    assert not path or not merkle.check_consistency(old, size, path[:-1], before, after)


@pytest.mark.parametrize(("old", "size"), [(0, 3), (4, 3)])
def test_what_cannot_be_proven_is_refused(old: int, size: int) -> None:
    with pytest.raises(ValueError, match="continue"):
        merkle.consistency_proof(old, size, merkle.over(hashes(size)))
    with pytest.raises(ValueError, match="not in a tree"):
        merkle.inclusion_proof(size, size, merkle.over(hashes(size)))
    assert not merkle.check_consistency(old, size, [], bytes(32), bytes(32))
    assert not merkle.check_inclusion(bytes(32), size, size, [], bytes(32))
