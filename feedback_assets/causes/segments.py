"""Segment values that are new or have vanished, and whether that could be luck.

A value seen on some days only (a flight that goes on Sundays) is not gone when one day lacks it.
So the number of its rows on a day is taken as beta-binomial, with the mean and the day-to-day
spread of the days before (method of moments, shrunk as if half a row had been seen), and the
chance that all later days have none is the product over them. A value that was never seen before
has no such history: there the chance is that all its rows fall into the later days although its
share never changed, (n_after / (n_before + n_after)) to the number of its rows.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from feedback_assets.causes.findings import Finding

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def segment_findings(
    partition_key: str,
    segment: str,
    values: Sequence[str],
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    alpha: float,
    min_rows: int = 1,
) -> list[Finding]:
    """Values of a segment that are new or gone, most certain first.

    Args:
        partition_key: The day that the findings are about.
        segment: The column, or the pair "origin,carrier".
        values: The segment's values [v], those of both periods.
        before: Rows per value [v], or per day and value [d, v].
        after: The same of the later days.
        alpha: Chance of any false finding among all values (Bonferroni).
        min_rows: A value that has fewer rows where it is seen is not told.

    Returns:
        `new_segment` and `vanished_segment` findings; `value` is the share of rows that the value
        has (new) or had (vanished), `evidence` -ln of the corrected chance. Empty when either
        period is.

    >>> found = segment_findings("d", "origin", ["EWR", "LGA"], [90, 110], [0, 200], 0.05)
    >>> found[0].text
    'origin EWR has vanished: no row in 200, 90 of 200 before'
    """
    if not values:
        return []
    earlier, later = _days(before, len(values)), _days(after, len(values))
    was, now = earlier.sum(axis=0), later.sum(axis=0)
    of = (int(was.sum()), int(now.sum()))
    if not all(of):
        return []
    gone = -vanishing_chance(earlier, later.sum(axis=1))
    new = now * -np.log(of[1] / sum(of))
    tested = float(np.log(max(int(((was > 0) | (now > 0)).sum()), 1)))
    found = [
        _new(partition_key, segment, values[int(at)], int(now[at]), of, float(new[at]) - tested)
        for at in np.flatnonzero((was == 0) & (now >= max(min_rows, 1)))
    ] + [
        _vanished(
            partition_key, segment, values[int(at)], int(was[at]), of, float(gone[at]) - tested
        )
        for at in np.flatnonzero((now == 0) & (was >= max(min_rows, 1)))
    ]
    certain = [f for f in found if f.evidence >= -np.log(alpha)]
    return sorted(certain, key=lambda f: (-f.evidence, f.subject))


def _new(
    key: str, segment: str, value: str, rows: int, of: tuple[int, int], evidence: float
) -> Finding:
    text = f"{segment} {value} is new: {rows:,} of {of[1]:,} rows, none in {of[0]:,} before"
    subject = f"{segment}={value}"
    return Finding(key, "new_segment", subject, text, rows / of[1], evidence=evidence)


def _vanished(
    key: str, segment: str, value: str, rows: int, of: tuple[int, int], evidence: float
) -> Finding:
    text = f"{segment} {value} has vanished: no row in {of[1]:,}, {rows:,} of {of[0]:,} before"
    subject = f"{segment}={value}"
    return Finding(key, "vanished_segment", subject, text, rows / of[0], evidence=evidence)


def vanishing_chance(before: Counts, rows: Counts) -> Floats:
    """Natural log of the chance [v] that a value has no row on any later day.

    Args:
        before: Rows per day and value [d, v].
        rows: Rows of all values on each later day [e].
    """
    from scipy.special import betaln

    totals = before.sum(axis=1, keepdims=True).astype(np.float64)
    days = before[totals[:, 0] > 0]
    totals = totals[totals[:, 0] > 0]
    n = totals.sum()
    share = (before.sum(axis=0) + 0.5) / (n + 1.0)
    rho = _overdispersion(days, totals, share)
    a, b = share * (1 - rho) / rho, (1 - share) * (1 - rho) / rho
    none = betaln(a, b + rows[:, None].astype(np.float64)) - betaln(a, b)
    return np.asarray(none.sum(axis=0), dtype=np.float64)


def _overdispersion(days: Counts, totals: Floats, share: Floats) -> Floats:
    """Correlation [v] of two rows of one day: 0 when days differ by chance alone (method of moments).

    Never below what so few rows cannot exclude, 1 / (rows + 1), nor at 1.
    """
    n = float(totals.sum())
    floor = 1.0 / (n + 1.0)
    if days.shape[0] < 2:
        return np.full(share.size, floor)
    expected = share * (1 - share)
    squares = ((days - totals * share) ** 2).sum(axis=0)
    pairs = float((totals * (totals - 1)).sum())
    rho = (squares - n * expected) / np.maximum(pairs * expected, 1e-300)
    return np.clip(rho, floor, 0.999)


def _days(counts: npt.ArrayLike, values: int) -> Counts:
    """The counts as [days, values]."""
    return np.asarray(counts, dtype=np.int64).reshape(-1, values)
