"""From which score on a model's own answer may stand for a label, by rows that people audited.

Thresholds are tried from the strictest down, each with an exact one-sided bound, until one fails
(fixed-sequence testing; Angelopoulos, Bates, Candès, Jordan & Lei 2021, "Learn then Test"). The order
is set by scores alone, so that picking the lowest that passed makes no promise too many. Each class has
its own threshold: a common one would be paid for by the rare classes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedback_assets.labels.exact import at_least
from feedback_assets.labels.votes import Codes

Floats = npt.NDArray[np.float64]
STEP = 1.2
"""Each threshold lets in so many times the audited rows of the one before."""
STARTS = 2
"""Places at which a sequence begins, so that one early mistake does not end all."""


@dataclass(frozen=True)
class Threshold:
    """From which score on the model's answer of one class may stand for a label."""

    answer: int
    """Position of the class."""
    threshold: float
    """Smallest chance that the model must give to its answer."""
    audited: int
    """Audited rows at or above it."""
    right: int
    """How many of them the model answered rightly."""
    precision_lower: float
    """Lower bound of the share of right answers; at least the precision that was asked for."""


def calibrate(
    answer: Codes,
    chance: Floats,
    right: npt.NDArray[np.bool_],
    precision: float,
    min_audited: int,
    alpha: float = 0.05,
) -> tuple[Threshold, ...]:
    """The lowest safe threshold of each class that has one.

    Args:
        answer: Position of the class that the model names, of audited rows that it was not trained
            on, drawn evenly [n].
        chance: Chance that it gives to it [n].
        right: Whether the audit says the same [n].
        precision: What the share of right answers above the threshold must reach.
        min_audited: Fewest audited rows above a threshold.
        alpha: Chance that the true share above a class's threshold is smaller than `precision`.
    """
    found = []
    for name in np.unique(answer):
        mine = answer == name
        one = _lowest(chance[mine], right[mine], precision, min_audited, alpha)
        if one is not None:
            found.append(Threshold(int(name), *one))
    return tuple(found)


def _lowest(
    chance: Floats, right: npt.NDArray[np.bool_], precision: float, least: int, alpha: float
) -> tuple[float, int, int, float] | None:
    """Threshold, rows, right rows and bound of the lowest that passes; None if none does."""
    order = np.argsort(-chance, kind="stable")
    ordered, good = chance[order], np.cumsum(right[order])
    # Rows with one score are in or out together.
    ends = np.flatnonzero(np.append(ordered[1:] < ordered[:-1], True)) + 1 if len(order) else order
    part = alpha / STARTS
    # With fewer rows not even all right answers would do: no use in asking.
    enough = max(least, int(np.ceil(np.log(part) / np.log(precision))))
    tried = _spaced(ends, enough)
    if not len(tried):
        return None
    bound = at_least(good[tried - 1], tried, 1 - part)
    passed = bound >= precision
    reached = [_run(passed, start) for start in _starts(len(tried))]
    last = max(reached)
    if last < 0:
        return None
    rows = int(tried[last])
    return float(ordered[rows - 1]), rows, int(good[rows - 1]), float(bound[last])


def _spaced(ends: Codes, enough: int) -> Codes:
    """Numbers of rows at which a threshold is tried, growing by `STEP`, and all rows."""
    kept: list[int] = []
    wanted = float(enough)
    while len(ends) and wanted <= ends[-1]:
        at = int(ends[np.searchsorted(ends, wanted)])
        kept.append(at)
        wanted = max(at + 1, at * STEP)
    if kept and kept[-1] < ends[-1]:
        kept.append(int(ends[-1]))
    return np.array(kept, dtype=np.int64)


def _starts(tried: int) -> list[int]:
    return sorted({tried * place // STARTS for place in range(STARTS)})


def _run(passed: npt.NDArray[np.bool_], start: int) -> int:
    """The last of the unbroken row of passes from a start; -1 if it fails at once."""
    broken = np.flatnonzero(~passed[start:])
    last = start + (int(broken[0]) if len(broken) else len(passed) - start) - 1
    return last if last >= start else -1
