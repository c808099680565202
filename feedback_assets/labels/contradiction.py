"""How strongly labels contradict what others teach, as evidence that grows with each label.

A principal's labels are explained in two ways. Honest: they are drawn from the probabilities that
the others' labels teach, but for a small share of slips, of any class or of one; or his rows are of
a kind in which a class is rarer or commoner than the others teach, always or from some moment on
(another region, another week). False: a large share of the labels is changed, of any class or of one,
from the first or from some moment on: what is likely becomes unlikely. The mean of
the likelihoods under the false ways, over the best one under the honest ways, is an e-value
(universal inference; Wasserman, Ramdas and Balakrishnan 2020): an honest principal's exceeds x with
a chance of at most 1 / x, however many labels there are.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
SLIPS = (0.05, 0.1)
"""Shares of changed labels that are still honest."""
SHIFTS = (-1.5, -0.75, 0.75, 1.5)
"""Differences of a class's log-odds that are still honest."""
CHANGED = (0.4, 0.6, 0.8, 0.98)
"""Shares of changed labels that are not."""
UNSURE = 0.02
"""What the teacher's probabilities are mixed with: it may be wrong itself."""
MOST_CLASSES = 8
"""With more classes, labels are not searched for one class that is changed."""


@dataclass(frozen=True)
class Evidence:
    """By principal [p]: ln of the e-values, and from which label on he may have turned."""

    always: Floats
    """All labels are of the false kind."""
    turned: Floats
    """Those from some label on are."""
    since: Ints
    """Position (in the rows) of the likeliest such label."""

    @property
    def total(self) -> Floats:
        """Natural logarithm of the mean of both e-values, an e-value too."""
        return np.asarray(np.logaddexp(self.always, self.turned) - np.log(2.0), np.float64)


def evidence(probabilities: Floats, said: Ints, who: Ints, principals: int) -> Evidence:
    """The evidence against each principal.

    Args:
        probabilities: Of each class, taught by others [n, k].
        said: The label's class [n].
        who: The principal [n], sorted; each one's rows in the order of time.
        principals: Their number; each has at least one row.
    """
    k = probabilities.shape[1]
    p = (1 - UNSURE) * probabilities + UNSURE / k
    honest = np.log(_changed(p, said, 0.0, None))
    ways: list[int | None] = [None, *(range(k) if k <= MOST_CLASSES else ())]
    best = _sums(honest, who, principals)
    base = best.copy()
    for share in SLIPS:
        for way in ways:
            slips = np.log(_changed(p, said, share, way))
            best = np.maximum(best, _sums(slips, who, principals))
    starts = np.flatnonzero(np.diff(who, prepend=-1))
    sizes = np.bincount(who, minlength=principals)
    for one in range(1 if k == 2 else 0, k if k <= MOST_CLASSES else 0):
        for shift in SHIFTS:
            other = np.log(_shifted(p, said, one, shift)) - honest
            after = _suffix_sums(other, starts, sizes)
            best = np.maximum(best, base + np.maximum.reduceat(after, starts))
    always = np.full(principals, -np.inf)
    turned = np.full(principals, -np.inf)
    peak, since = np.full(principals, -np.inf), starts.copy()
    for share in CHANGED:
        for way in ways:
            gain = np.log(_changed(p, said, share, way)) - honest
            after = _suffix_sums(gain, starts, sizes)
            always = np.logaddexp(always, base + after[starts])
            turned = np.logaddexp(turned, base + np.logaddexp.reduceat(after, starts))
            top = np.maximum.reduceat(after, starts)
            first = _first_at(after == np.repeat(top, sizes), starts)
            since = np.where(top > peak, first, since)
            peak = np.maximum(peak, top)
    count = np.log(len(CHANGED) * len(ways))
    return Evidence(always - count - best, turned - count - np.log(sizes) - best, since)


def _changed(p: Floats, said: Ints, share: float, only: int | None) -> Floats:
    """Probability of what was said [n] when a share of the labels (of one class) is changed."""
    k = p.shape[1]
    own = p[np.arange(len(said)), said]
    if only is None:
        return np.asarray((1 - share) * own + share * (1 - own) / (k - 1), np.float64)
    moved = own + share * p[:, only] / (k - 1)
    return np.where(said == only, (1 - share) * own, moved)


def _shifted(p: Floats, said: Ints, one: int, shift: float) -> Floats:
    """Probability of what was said [n] where a class's log-odds are larger by `shift`."""
    own = p[np.arange(len(said)), said]
    return np.where(said == one, own * np.exp(shift), own) / (1 + p[:, one] * np.expm1(shift))


def _sums(values: Floats, who: Ints, principals: int) -> Floats:
    return np.bincount(who, values, minlength=principals).astype(np.float64)


def _suffix_sums(values: Floats, starts: Ints, sizes: Ints) -> Floats:
    """From each row on, the sum of its principal's values [n]."""
    total = np.cumsum(values)
    ends = total[starts + sizes - 1]
    return np.repeat(ends, sizes) - total + values


def _first_at(hits: npt.NDArray[np.bool_], starts: Ints) -> Ints:
    """Of each principal's rows the first position that hits."""
    positions = np.where(hits, np.arange(hits.size), hits.size)
    return np.asarray(np.minimum.reduceat(positions, starts), np.int64)
