"""Labels that are probably wrong, by confident learning (Northcutt, Jiang & Chuang 2021).

A model that never saw a row says how likely each class is. A class counts as meant where its chance
is at least what rows with that label get on average. Rows counted by label and by meant class are the
confident joint: off its diagonal are labels in error, and how many there are of each kind.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from feedback_assets.labels.votes import Codes

Floats = npt.NDArray[np.float64]
Method = Literal["off_diagonal", "noise_rate", "class", "both"]
_TINY = 1e-6


@dataclass(frozen=True)
class Noise:
    """How labels and what is meant by them go together, and which rows are off."""

    joint: Floats
    """Estimated rows by label (first axis) and by meant class, calibrated to the labels [k, k]."""
    meant: Codes
    """Class that each row is confidently of; its label where none is [n]."""

    @property
    def wrong_share(self) -> float:
        """Estimated share of wrong labels."""
        total = self.joint.sum()
        return float(1 - np.trace(self.joint) / total) if total else 0.0


def noise(label: Codes, chance: Floats) -> Noise:
    """Estimate the confident joint.

    Args:
        label: Position of each row's label [n].
        chance: Chance of each class by a model that was not trained on the row [n, k].
    """
    width = chance.shape[1]
    rows = np.bincount(label, minlength=width)
    own = np.bincount(label, chance[np.arange(len(label)), label], minlength=width)
    # A class without rows has no usual chance, so that no row is confidently of it.
    usual = np.where(rows > 0, own / np.maximum(rows, 1), np.inf)
    above = chance >= usual - _TINY
    count = above.sum(axis=1)
    # Of several classes that are above their usual chance the likeliest is meant.
    likeliest = chance.argmax(axis=1)
    meant = np.where(count > 1, likeliest, above.argmax(axis=1))
    confident = count > 0
    counted = np.bincount(label[confident] * width + meant[confident], minlength=width**2)
    joint = counted.reshape(width, width).astype(np.float64)
    joint[np.arange(width), np.arange(width)] = np.maximum(np.diag(joint), 1)
    share = joint / joint.sum(axis=1, keepdims=True)
    return Noise(share * rows[:, None], np.where(confident, meant, label))


def label_errors(
    label: Codes, chance: Floats, method: Method = "both", found: Noise | None = None
) -> npt.NDArray[np.bool_]:
    """Which labels are probably wrong [n].

    Args:
        label: Position of each row's label [n].
        chance: Chance of each class by a model that was not trained on the row [n, k].
        method: `off_diagonal`: every row that is confidently of another class. `class`: of each
            label, as many rows as its errors are estimated to be, those least sure of the label.
            `noise_rate`: for each label and other class, as many as that kind of error, those with
            the largest margin of the other class. `both`: what `class` and `noise_rate` name.
        found: `noise(label, chance)`, if it is there already.
    """
    found = found or noise(label, chance)
    own = chance[np.arange(len(label)), label]
    if method == "off_diagonal":
        return (found.meant != label) & (chance.max(axis=1) > own + _TINY)
    # Where the model likes the label best there is nothing to doubt.
    wrong = chance.max(axis=1) > own + _TINY
    budget = _with_one_right(_whole(found.joint))
    if method in ("class", "both"):
        wrong &= _least_sure(label, own, budget)
    if method in ("noise_rate", "both"):
        wrong &= _widest_margin(label, chance, own, budget)
    return wrong


def doubt(label: Codes, chance: Floats) -> Floats:
    """How doubtful each label is: 1 less the chance that the model gives to it [n]."""
    return 1 - chance[np.arange(len(label)), label]


def _least_sure(label: Codes, own: Floats, budget: Codes) -> npt.NDArray[np.bool_]:
    """Of each label as many rows as its errors, those with the smallest chance of the label."""
    wrong = np.zeros(len(label), dtype=bool)
    for k, (rows, errors) in enumerate(_by_label(label, budget)):
        wrong[rows[np.argsort(own[rows], kind="stable")[: errors.sum() - errors[k]]]] = True
    return wrong


def _widest_margin(
    label: Codes, chance: Floats, own: Floats, budget: Codes
) -> npt.NDArray[np.bool_]:
    """Of each label and other class as many rows, those with the largest margin of the other."""
    wrong = np.zeros(len(label), dtype=bool)
    for k, (rows, errors) in enumerate(_by_label(label, budget)):
        for other in np.flatnonzero(errors):
            if other != k:
                margin = own[rows] - chance[rows, other]
                wrong[rows[np.argsort(margin, kind="stable")[: errors[other]]]] = True
    return wrong


def _by_label(label: Codes, budget: Codes) -> list[tuple[Codes, Codes]]:
    """Each label's rows and its errors by meant class; a label of a single row is left alone."""
    order = np.argsort(label, kind="stable")
    ends = np.cumsum(np.bincount(label, minlength=len(budget)))
    groups = np.split(order, ends[:-1])
    return [
        (rows, errors if len(rows) > 1 else np.zeros_like(errors))
        for rows, errors in zip(groups, budget, strict=True)
    ]


def _whole(joint: Floats) -> Codes:
    """Whole rows that keep each label's total: what was rounded farthest gives way [k, k]."""
    joint = joint.round(
        9
    )  # parts that are equal but for the last digit are a tie, first come first
    whole = np.rint(joint)
    gap = np.rint(joint.sum(axis=1)) - whole.sum(axis=1)
    place = np.argsort(np.argsort(joint - whole, axis=1, kind="stable"), axis=1, kind="stable")
    up = place >= joint.shape[1] - gap[:, None]
    down = place < -gap[:, None]
    return (whole + up - down).astype(np.int64)


def _with_one_right(counted: Codes) -> Codes:
    """At least one row of each label is right; its errors give way evenly."""
    right = np.diag(counted)
    short = np.maximum(1 - right, 0)
    kinds = np.maximum(np.count_nonzero(counted, axis=1) - 1, 1)
    kept = np.maximum(counted - (short / kinds)[:, None], 0).astype(np.int64)
    kept[np.arange(len(kept)), np.arange(len(kept))] = np.maximum(right, 1)
    return kept
