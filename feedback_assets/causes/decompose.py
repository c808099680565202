"""Why the loss of two periods differs: a split into parts that add up to the difference exactly.

In a fixed order the two periods' rows are made alike in the segments, then also in which features
are missing, then also in the features, by overlap weights (see `balance`). What the difference of
mean loss falls by at a step is that step's part; what remains when all features are alike is the
change of the label (or of its loss) given the features: the concept change. Each step compares
only rows that have their like in both periods, as DISDE does (Cai, Namkoong & Yadlowsky 2023), so
loss in a region that only one period has is the part of the step that tells it apart.

A label shift, P(X|Y) unchanged, moves features and label given features at once, so by these steps
it would look like both. Therefore the rows decide between explanations (see `explanations`); where
they speak for a moved label, the step "label" comes last and the features are made alike only as
far as they moved beside it. The parts are the explanations' parts, averaged by their weights.
"""

import itertools
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from feedback_assets.causes import explanations
from feedback_assets.causes.balance import (
    Bools,
    Difference,
    Floats,
    difference,
    error,
    fitted,
    shares,
    sigmoid,
    standardised,
)
from feedback_assets.causes.explanations import Explanation
from feedback_assets.causes.nuisance import learned
from feedback_assets.causes.rows import Rows
from feedback_assets.causes.split import PARTS, Part, Split

Codes = npt.NDArray[np.int64]

CLASSES = 8
"""Classes of the label told apart, most frequent first; a number is cut into `NUMBERS` of them."""
NUMBERS = 5
SEGMENTS = 30
"""Segments told apart, most frequent first; those beyond are one, and differ as features do."""
_FAINT = 1e-3
"""Explanations of less weight are left out."""


def decompose(
    before: Rows,
    after: Rows,
    confidence: float = 0.95,
    *,
    min_rows: int = 200,
    max_rows: int = 10_000,
    seed: int = 7,
) -> Split:
    """Split the change of mean loss from one period to another into `PARTS`.

    Args:
        before: Labelled rows of the earlier period.
        after: Of the later one, with the same features.
        confidence: Of each part's two-sided interval.
        min_rows: With fewer rows in a period the parts are not known.
        max_rows: More rows than this in a period are sampled (seeded); the total is then the sample's.
        seed: Of the samples.

    Returns:
        The split; `reason` says why there are no parts, if there are none.
    """
    earlier, later = before.sampled(max_rows, seed), after.sampled(max_rows, seed + 1)
    rows, is_later = _both(earlier, later)
    day = _codes(np.where(is_later, "b", "a").astype(object) + rows.day.astype(str))
    whole = difference(rows.loss, is_later)
    total = _part("total", [(1.0, whole)], is_later, day, confidence)
    means = [float(r.loss.mean()) if len(r) else float("nan") for r in (earlier, later)]
    split = Split(rows.metric, len(before), len(after), means[0], means[1], total)
    short = min(len(before), len(after))
    if short < min_rows:
        return replace(split, reason=f"{short:,} labelled rows in a period, {min_rows:,} needed")
    weighed, paths, overlap = _paths(rows, is_later, whole, seed)
    parts = [
        _part(
            name,
            [(weighed[what], path[i]) for what, path in paths.items()],
            is_later,
            day,
            confidence,
        )
        for i, name in enumerate(PARTS)
    ]
    return replace(
        split,
        parts=tuple(parts),
        overlap=overlap,
        explanations=_told(weighed),
        evidence={name: _evidence(weighed, i) for i, name in enumerate(PARTS)},
    )


def _told(weighed: Mapping[Explanation, float]) -> dict[str, float]:
    """The explanations in words, most likely first."""
    ordered = sorted(weighed.items(), key=lambda item: -item[1])
    return {what.words: weight for what, weight in ordered if weight > _FAINT}


def _evidence(weighed: Mapping[Explanation, float], part: int) -> float:
    """-ln of the weight of the explanations in which a part did not change."""
    without = sum(weight for what, weight in weighed.items() if not what.changed[part])
    return max(-float(np.log(max(without, 1e-300))), 0.0)


def _paths(
    rows: Rows, later: Bools, whole: Difference, seed: int
) -> tuple[dict[Explanation, float], dict[Explanation, list[Difference]], float]:
    """All explanations' weights, the parts of those that matter, and the overlap."""
    n = len(rows)
    label = _label(rows)
    segments, missing = _indicators(_ranked(rows.segment, SEGMENTS)), _missing(rows)
    alike = fitted(standardised([segments, missing], n), later)
    chance = sigmoid(alike.logits())
    weight = shares(later) * np.where(later, 1 - chance, chance)
    classes = int(label.max()) + 1
    nuisance = learned(rows, later, weight, label, classes)
    features = np.column_stack([nuisance.moved, nuisance.expected])
    blocks, y = [segments, missing, features], _indicators(label)
    tilt = explanations.tilts(nuisance, label, later)
    weights = explanations.weighed(blocks, y, tilt, later, seed)
    likely = [what for what, w in weights.items() if w > _FAINT]

    steps = [whole]
    for until in range(1, 4):
        logit = fitted(standardised(blocks[:until], n), later)
        steps.append(difference(rows.loss, later, logit))
    plain = [*_falls(steps), _none(n), steps[-1]]
    bent = [*blocks[:2], np.column_stack([features, tilt.normaliser])]
    paths = {
        what: _label_path(rows.loss, later, whole, bent, y, what.moved) if what.label else plain
        for what in likely
    }
    return weights, paths, steps[-1].overlap


def _label_path(
    loss: Floats,
    later: Bools,
    whole: Difference,
    blocks: list[Floats],
    label: Floats,
    moved: tuple[bool, bool, bool],
) -> list[Difference]:
    """The parts if the label moved: one regression, its terms taken in one after another."""
    used = [b if there else b[:, :0] for b, there in zip(blocks, moved, strict=True)]
    logit = fitted(standardised([*used, label], later.size), later)
    ends = np.cumsum([1, *(b.shape[1] for b in used)])
    at, steps = np.arange(logit.theta.size), [whole]
    for end, there in zip(ends[1:], moved, strict=True):
        steps.append(difference(loss, later, logit, at < end) if there else steps[-1])
    steps.append(difference(loss, later, logit))
    return [*_falls(steps), steps[-1]]


def _falls(steps: list[Difference]) -> list[Difference]:
    """What the difference falls by at each step."""
    return [
        Difference(a.value - b.value, a.influence - b.influence)
        for a, b in itertools.pairwise(steps)
    ]


def _none(rows: int) -> Difference:
    return Difference(0.0, np.zeros(rows))


def _part(
    name: str,
    weighed: list[tuple[float, Difference]],
    later: Bools,
    day: Codes,
    confidence: float,
) -> Part:
    """The mean over explanations; its error holds theirs and their disagreement (Buckland 1997)."""
    from scipy.special import stdtrit

    known = sum(w for w, _ in weighed)
    weighed = [(w / known, d) for w, d in weighed]
    value = sum(w * d.value for w, d in weighed)
    mean = np.sum([w * d.influence for w, d in weighed], axis=0)
    own, freedom = error(mean, later, day)
    between = sum(w * (d.value - value) ** 2 for w, d in weighed)
    reach = float(stdtrit(max(freedom, 1.0), 0.5 + confidence / 2)) * float(
        np.sqrt(own**2 + between)
    )
    return Part(name, float(value), float(value - reach), float(value + reach))


def _both(before: Rows, after: Rows) -> tuple[Rows, Bools]:
    """Both periods' rows in one, and which are of the later."""
    names = [name for name in before.features if name in after.features]
    joined = Rows(
        {n: np.concatenate([before.features[n], after.features[n]]) for n in names},
        np.concatenate([before.loss, after.loss]),
        np.concatenate([before.label, after.label]),
        np.concatenate([before.segment, after.segment]),
        np.concatenate([before.day, after.day]),
        before.metric,
        before.numeric_label,
    )
    return joined, np.arange(len(joined)) >= len(before)


def _label(rows: Rows) -> Codes:
    """Class of each label: numbers cut at their quantiles, rare classes put together."""
    if rows.numeric_label:
        edges = np.unique(np.quantile(rows.label, np.arange(1, NUMBERS) / NUMBERS))
        return _codes(np.searchsorted(edges, rows.label, side="left"))
    return _ranked(rows.label, CLASSES)


def _ranked(values: npt.NDArray[np.generic], kept: int) -> Codes:
    """Codes by frequency, most frequent first; beyond `kept` values all have the last code."""
    codes = _codes(values)
    counts = np.bincount(codes)
    rank = np.empty(counts.size, np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(counts.size)
    return np.minimum(rank[codes], kept - 1)


def _missing(rows: Rows) -> Floats:
    """Whether each feature that is ever missing is [n, features]; equal columns once."""
    flags = {}
    for values in rows.features.values():
        if values.dtype.kind == "f":
            absent = np.isnan(np.asarray(values, np.float64))
        else:
            absent = np.asarray([v is None for v in values], np.bool_)
        if absent.any() and not absent.all():
            flags[absent.tobytes()] = absent.astype(np.float64)
    return np.column_stack([np.empty((len(rows), 0)), *flags.values()])


def _codes(values: npt.NDArray[np.generic]) -> Codes:
    _, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.int64)


def _indicators(codes: Codes) -> Floats:
    """Indicators [n, values - 1] of all values but the first."""
    return (codes[:, None] == np.arange(1, codes.max(initial=0) + 1)).astype(np.float64)
