"""Which explanation of the change between two periods the rows speak for.

Features X and label Y of two periods may differ because X moved and Y given X did not (covariate
shift), because Y moved and X given Y did not (label shift), or because Y given X changed
(concept change). Each explanation says what the log ratio of the two periods' densities looks like:

    segments, missing values, features moved        s(segment) + m(missing) + f(x)
    the label's classes moved                       g(y), alone or added to the former
    the odds of the label changed by a constant     g(y) - ln sum_y p(y|x) exp g(y)
    the label given the features changed            ln q(y|x) - ln p(y|x)

All are fitted as regressions of "later" on (x, y) and weighed by exp(-BIC / 2), as if at most
`EVIDENCE` rows a period had been seen: a simple explanation that is wrong by less than
would show in so many rows is not given up for a complicated one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from feedback_assets.causes.balance import Bools, Floats, fitted, standardised
from feedback_assets.causes.nuisance import Nuisance

Codes = npt.NDArray[np.int64]

EVIDENCE = 2_000
"""Rows of each period that the weighing of explanations is worth at most."""
_FITTED = 4_000
"""Rows of each period on which explanations are fitted."""


@dataclass(frozen=True)
class Explanation:
    """What changed, by one explanation."""

    moved: tuple[bool, bool, bool]
    """Whether segments, missing values, features moved."""
    label: bool
    """Whether the label's classes moved, the features given the label being as they were."""
    concept: bool
    """Whether the label given the features changed."""

    @property
    def changed(self) -> tuple[bool, ...]:
        """The same five, in the order segments, missing values, features, label, concept."""
        return (*self.moved, self.label, self.concept)

    @property
    def words(self) -> str:
        """The explanation in words: "features and label moved"."""
        names = ("segments", "missing values", "features")
        what = [name for name, there in zip(names, self.moved, strict=True) if there]
        moved = " and ".join([*what, "label"] if self.label else what)
        said = [f"{moved} moved"] if moved else []
        if self.concept:
            said.append("the label given the features changed")
        return ", ".join(said) if said else "nothing changed"


@dataclass(frozen=True)
class Tilts:
    """How the label's chances given the features changed, as log ratios at each row's label."""

    constant: Floats
    """If each class's odds changed by the same factor everywhere [n]."""
    normaliser: Floats
    """What a label shift does to the features' density: ln sum_y p(y|x) exp g(y) [n]."""
    free: Floats
    """If they changed in any way [n]."""


def tilts(nuisance: Nuisance, label: Codes, later: Bools) -> Tilts:
    """Both forms of change, with each period's chances adjusted to the period's own classes."""
    classes = nuisance.log_before.shape[1]
    observed = [
        (np.bincount(label[period], minlength=classes) + 0.5) / (period.sum() + 0.5 * classes)
        for period in (~later, later)
    ]
    before = nuisance.log_before + _intercepts(nuisance.log_before[~later], observed[0])
    shift = _intercepts(before[later], observed[1])
    after = nuisance.log_after + _intercepts(nuisance.log_after[later], observed[1])
    at = np.arange(label.size)
    before = before - _log_sum(before)[:, None]
    normaliser = _log_sum(before + shift)
    free = (after - _log_sum(after)[:, None])[at, label] - before[at, label]
    return Tilts(shift[label] - normaliser, normaliser, free)


def weighed(
    blocks: Sequence[Floats], label: Floats, tilt: Tilts, later: Bools, seed: int
) -> dict[Explanation, float]:
    """Each explanation's weight; together they are 1.

    Args:
        blocks: Variables of segments, of missing values, of features [n, d_i].
        label: Indicators of the label's classes but one [n, K - 1].
        tilt: How the label's chances changed.
        later: Which rows are of the later period [n].
        seed: Of the sample that is fitted.
    """
    at = _sample(later, seed)
    parts, y, after = [b[at] for b in blocks], label[at], later[at]
    constant, free = tilt.constant[at], tilt.free[at, None]
    normaliser = tilt.normaliser[at, None]
    rows = 2 * min(EVIDENCE, int(after.sum()), int((~after).sum()))
    scores: dict[Explanation, float] = {}

    def tried(what: Explanation, design: list[Floats], extra: int, known: Floats | None) -> None:
        standard = standardised(design, after.size)
        size = int(np.any(standard != 0, axis=0).sum()) - 1 + extra
        score = rows * fitted(standard, after, known).fit - 0.5 * size * np.log(rows)
        scores[what] = max(scores.get(what, -np.inf), score)

    varying = [bool(np.any(p != p[:1])) for p in parts]
    for moved in product((False, True), repeat=len(parts)):
        if any(there and not some for there, some in zip(moved, varying, strict=True)):
            continue
        chosen = [p for there, p in zip(moved, parts, strict=True) if there]
        said = (moved[0], moved[1], moved[2])
        tried(Explanation(said, False, False), chosen, 0, None)
        if y.shape[1]:
            tried(Explanation(said, False, True), chosen, y.shape[1], constant)
            tried(Explanation(said, False, True), [*chosen, free], 0, None)
            bent = [normaliser] if moved[2] else []
            tried(Explanation(said, True, False), [*chosen, *bent, y], 0, None)
    best = max(scores.values())
    raw = {what: float(np.exp(score - best)) for what, score in scores.items()}
    total = sum(raw.values())
    return {what: weight / total for what, weight in raw.items()}


def _sample(later: Bools, seed: int) -> Codes:
    rng = np.random.default_rng(seed)
    drawn = []
    for period in (~later, later):
        own = np.flatnonzero(period)
        drawn.append(rng.choice(own, min(own.size, _FITTED), replace=False))
    return np.sort(np.concatenate(drawn))


def _intercepts(logs: Floats, observed: Floats) -> Floats:
    """Numbers [K] that, added to log chances [n, K], make the mean chances the observed shares."""
    shift = np.zeros(observed.size)
    for _ in range(200):
        tilted = logs + shift
        mean = np.exp(tilted - _log_sum(tilted)[:, None]).mean(axis=0)
        step = np.log(observed) - np.log(np.maximum(mean, 1e-12))
        shift += step
        if np.abs(step).max() < 1e-6:
            break
    return np.asarray(shift - shift[0])


def _log_sum(logs: Floats) -> Floats:
    top = logs.max(axis=1)
    return np.asarray(top + np.log(np.exp(logs - top[:, None]).sum(axis=1)))
