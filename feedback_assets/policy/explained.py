"""A condition held against evidence: its value, its threshold, whether it holds, what is missing.

Three values: a condition holds, does not hold, or it is not known (None). What is not known never
decides, and a joint is not known only where the unknown parts could turn it (Kleene's logic).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain


@dataclass(frozen=True)
class Explained:
    """One condition, or a joint of several.

    Attributes:
        name: in words, as "drift" or "any of".
        met: whether it holds; None when it is not known.
        value: the number that was compared, if it is known.
        threshold: what it was compared with.
        told: the value in words, with its threshold.
        missing: what it lacks, in words; empty where it holds.
        why: the reason that it gives for a retrain.
        level: the newest value as a multiple of the threshold, where a later one may be weighed
            against it (hysteresis).
        key: names the evidence of a single condition that holds: the same evidence, the same key.
        identity: names the single condition itself, whatever the evidence.
        joint: any, all or at_least; empty for a single condition.
        wanted: of a joint, how many parts must hold.
        parts: what a joint joins.
    """

    name: str
    met: bool | None
    value: float | None = None
    threshold: float | None = None
    told: str = ""
    missing: str = ""
    why: str = ""
    level: float | None = None
    key: str = ""
    identity: str = ""
    joint: str = ""
    wanted: int = 0
    parts: tuple["Explained", ...] = ()

    def leaves(self) -> Iterator["Explained"]:
        """The single conditions below, in the order of the file."""
        for part in self.parts:
            yield from part.leaves()
        if not self.parts:
            yield self

    def ways(self) -> Iterator[tuple["Explained", ...]]:
        """The sets of single conditions by which it holds, those named first in the file first.

        Each part of `any` that holds is a way of its own; `all` and `at_least` give one way, made of
        the first way of each of their parts that hold.
        """
        if not self.met:
            return
        if not self.parts:
            yield (self,)
        elif self.joint == "any":
            yield from chain.from_iterable(part.ways() for part in self.parts)
        else:
            holding = [part for part in self.parts if part.met][: self.wanted]
            yield tuple(leaf for part in holding for leaf in next(part.ways()))


def joined(joint: str, wanted: int, parts: Sequence[Explained]) -> Explained:
    """Several conditions of which `wanted` must hold.

    >>> yes, no, unknown = Explained("a", True), Explained("b", False), Explained("c", None)
    >>> joined("any", 1, [yes, unknown]).met, joined("any", 1, [no, unknown]).met
    (True, None)
    >>> joined("all", 2, [no, unknown]).met, joined("at_least", 2, [yes, no, unknown]).met
    (False, None)
    """
    holding = sum(part.met is True for part in parts)
    unknown = sum(part.met is None for part in parts)
    met = True if holding >= wanted else None if holding + unknown >= wanted else False
    names = {"any": "any of", "all": "all of", "at_least": f"at least {wanted} of"}
    return Explained(
        name=names[joint],
        met=met,
        value=holding,
        threshold=wanted,
        told=f"{holding} of {wanted} hold" if len(parts) > 1 else "",
        missing="" if met else f"{wanted - holding} more",
        joint=joint,
        wanted=wanted,
        parts=tuple(parts),
    )
