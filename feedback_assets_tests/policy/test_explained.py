"""Joints of conditions with unknown parts: the unknown never decides."""

import doctest
import itertools
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.policy import evidence, explained, hours, rearm
from feedback_assets.policy.explained import Explained, joined

leaf = st.sampled_from([True, False, None]).map(lambda met: Explained("leaf", met))
wanted = st.sampled_from(["any", "all", "at_least"])


@st.composite
def joints(draw: st.DrawFn, parts: st.SearchStrategy[Explained]) -> Explained:
    some = draw(st.lists(parts, min_size=1, max_size=3))
    kind = draw(wanted)
    least = {"any": 1, "all": len(some)}.get(kind) or draw(st.integers(1, len(some)))
    return joined(kind, least, some)


trees = st.recursive(leaf, joints, max_leaves=6)


def truth(tree: Explained, unknown: tuple[bool, ...]) -> bool:
    """What the tree would say if all were known."""
    return _truth(tree, iter(unknown))


def _truth(tree: Explained, unknown: Iterator[bool]) -> bool:
    if not tree.parts:
        return next(unknown) if tree.met is None else bool(tree.met)
    held = [_truth(part, unknown) for part in tree.parts]
    return sum(held) >= tree.wanted


@settings(max_examples=150, deadline=None)
@given(trees)
def test_a_tree_says_what_every_filling_of_the_unknown_would(tree: Explained) -> None:
    unknown = sum(leaf.met is None for leaf in tree.leaves())
    said = {truth(tree, filling) for filling in itertools.product((True, False), repeat=unknown)}
    assert tree.met == (said.pop() if len(said) == 1 else None)


@settings(max_examples=150, deadline=None)
@given(trees)
def test_every_way_is_made_of_conditions_that_hold_and_suffice(tree: Explained) -> None:
    ways = list(tree.ways())
    assert bool(ways) == (tree.met is True)
    for way in ways:
        assert all(one.met for one in way)
        assert _holds(tree, [id(one) for one in way])


def _holds(tree: Explained, only: list[int]) -> bool:
    """Whether the tree holds when only these single conditions do."""
    if not tree.parts:
        return id(tree) in only
    return sum(_holds(part, only) for part in tree.parts) >= tree.wanted


def test_examples_in_docstrings_are_true() -> None:
    for module in (explained, evidence, hours, rearm):
        tried = doctest.testmod(module)
        assert tried.attempted > 0
        assert tried.failed == 0
