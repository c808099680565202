"""Whether labels of one value come earlier than those of another: fraud is told at once, honesty never.

Young days show quick labels only, so their labels are no fair sample where this is so. The test is the
log-rank test in reverse time (Lagakos, Barraj and De Gruttola 1988), which right truncation does not
bias: of the labels that had come by an age, which came only then? Its variance is that of whole
cohorts (Lin and Wei 1989), as labels of one day come together, and never taken to be less certain than
independent labels would make it look.
"""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.labels.arrival import STEPS, ArrivalCurve, cohort_ages
from feedback_assets.labels.curves import ALL

Floats = npt.NDArray[np.float64]
LEAST_LABELS = 20
"""A value with fewer labels is not told apart."""
SPARE_COHORTS = 8
"""Cohorts that the test wants beside one for each value."""
_HALF = 0.5


@dataclass(frozen=True)
class OutcomeDelay:
    """What the test says.

    Attributes:
        p: chance of such a difference where there is none; NaN where it cannot be told.
        alpha: differences are claimed below this: the rate of false alarms, each time it is asked.
        later: label value to how much later its labels come than the others', in standard errors.
        half: label value to the age in days at which half of its labels are there, where known.
        reason: why it cannot be told; empty where it can.
    """

    p: float
    alpha: float
    later: Mapping[str, float]
    half: Mapping[str, float]
    reason: str = ""

    @property
    def differs(self) -> bool:
        """Whether labels of some values surely come earlier than those of others."""
        return self.p < self.alpha

    def words(self) -> str:
        """One sentence."""
        if self.reason:
            return f"whether the delay depends on the label is not known: {self.reason}"
        if not self.differs:
            return (
                f"no sign that the delay depends on the label (p {self.p:.2g}; "
                f"{self.alpha:g} would be one)"
            )
        ordered = sorted(self.later, key=lambda name: self.later[name])
        first, last = ordered[0], ordered[-1]
        halves = ""
        if first in self.half and last in self.half:
            halves = f", half within {self.half[first]:.3g} against {self.half[last]:.3g} days"
        return (
            f"labels {first} come earlier than labels {last} (p {small(self.p)}; equal ones are said to "
            f"differ with a chance of {self.alpha:g}{halves}): the labels of young days are no fair "
            "sample, each value's are counted by its own delay"
        )


def small(p: float) -> str:
    """A chance in words.

    >>> small(0.0123), small(0.0)
    ('0.01', 'below 1e-6')
    """
    return "below 1e-6" if p < 1e-6 else f"{p:.1g}"


def outcome_delay(
    counts: pd.DataFrame,
    config: Config,
    as_of: dt.datetime,
    curves: Mapping[str, ArrivalCurve] | None = None,
) -> OutcomeDelay:
    """Test whether delays differ by label value (of numbers: by quarter of their range of ranks).

    Args:
        counts: Rows of `delay_counts_sql`.
        config: The loop; `pool.delay_alpha` is the rate of false alarms.
        as_of: The moment of the counts.
        curves: `group_curves` of the counts, to tell by how much.
    """
    alpha = config.pool.delay_alpha
    half = {name: curve.age_at(_HALF) for name, curve in (curves or {}).items() if name != ALL}
    table, names = _came(counts, config, as_of)
    if len(names) < 2:
        reason = f"two values with {LEAST_LABELS} labels each are needed"
        return OutcomeDelay(math.nan, alpha, {}, half, reason)
    moves, variance = _scores(table)
    cohorts = int(np.count_nonzero(table.sum(axis=(1, 2))))
    if cohorts < len(names) + SPARE_COHORTS:
        reason = f"{cohorts} days with labels, {len(names) + SPARE_COHORTS} needed"
        return OutcomeDelay(math.nan, alpha, {}, half, reason)
    total = moves.sum(axis=0)
    p = max(_clustered(moves), _chance(total[:-1], variance[:-1, :-1]))
    error = np.sqrt(np.diag(variance))
    later = {
        name: float(total[at] / error[at]) if error[at] > 0 else 0.0
        for at, name in enumerate(names)
    }
    return OutcomeDelay(p, alpha, later, half)


def _came(counts: pd.DataFrame, config: Config, as_of: dt.datetime) -> tuple[Floats, list[str]]:
    """Labels by cohort, value and step [cohorts, values, STEPS + 1], and the values' names.

    Of a cohort only the steps that it has been seen for count, as in the delay curve; the last axis
    holds NaN for the others.
    """
    known = counts[counts["delay_step"].notna()]
    n = known["n"].to_numpy(np.float64)
    sizes = pd.Series(n).groupby(known["label_group"].astype(str).to_numpy()).sum()
    names = sorted(str(name) for name in sizes.index[sizes >= LEAST_LABELS])
    place = {name: at for at, name in enumerate(names)}
    keys = sorted(known["partition_key"].unique())
    ages = cohort_ages(keys, config, as_of)
    step = config.label.max_delay_days / STEPS
    seen_to = np.array([min(math.floor(ages[k] / step + 1e-9), STEPS) for k in keys], np.int64)
    shape = (len(keys), len(names), STEPS + 1)
    group = known["label_group"].astype(str).map(place).to_numpy(np.float64, na_value=-1)
    cohort = known["partition_key"].map({k: i for i, k in enumerate(keys)}).to_numpy(np.int64)
    came = np.clip(known["delay_step"].to_numpy(np.float64), 0, STEPS).astype(np.int64)
    here = group >= 0
    flat = np.ravel_multi_index((cohort[here], group[here].astype(np.int64), came[here]), shape)
    table = np.bincount(flat, n[here], minlength=math.prod(shape)).reshape(shape)
    unseen = np.arange(STEPS + 1)[None, :] > seen_to[:, None]
    return np.where(unseen[:, None, :], np.nan, table), names


def _scores(table: Floats) -> tuple[Floats, Floats]:
    """How much later each cohort's labels came than expected [cohorts, values], and the variance.

    The variance [values, values] is the hypergeometric one of independent labels.
    """
    seen = ~np.isnan(table[:, 0, :])
    new = np.nan_to_num(table)
    so_far = new.cumsum(axis=2) * seen[:, None, :]
    events, at_risk = new.sum(axis=0), so_far.sum(axis=0)
    d, r = events.sum(axis=0), at_risk.sum(axis=0)
    share = np.divide(at_risk, r, out=np.zeros_like(at_risk), where=r > 0)
    hazard = np.divide(d, r, out=np.zeros_like(r), where=r > 0)
    moves = new - share * new.sum(axis=1, keepdims=True)
    moves -= hazard * (so_far - share * so_far.sum(axis=1, keepdims=True))
    # Gehan's weights: where few labels are left to compare, few days decide.
    weight = r / max(float(r.max()), 1.0)
    moves *= weight
    scale = weight**2 * np.divide(d * (r - d), r - 1, out=np.zeros_like(r), where=r > 1)
    variance = np.diag((share * scale).sum(axis=1)) - (share * scale) @ share.T
    return moves.sum(axis=2), variance


def _clustered(moves: Floats) -> float:
    """Test that the cohorts' sums have mean zero, one value left out as redundant.

    Their spread is taken about zero: a sum that norms itself errs on the careful side in the tail.
    """
    scores = moves[:, :-1]
    return _chance(scores.sum(axis=0), scores.T @ scores)


def _chance(total: Floats, variance: Floats) -> float:
    """Of sums at least as far from zero as these, by the chi-squared distribution."""
    from scipy.special import chdtrc

    return float(chdtrc(total.size, float(total @ np.linalg.pinv(variance) @ total)))
