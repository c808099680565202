"""Numbers that are probably wrong: far beyond the errors that a model makes of rows like them."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
FAR = 8.0
"""Standard deviations (by the median absolute error of rows with like predictions)."""
BINS = 10
_MAD_TO_SD = 1.4826


def far_off(label: Floats, expected: Floats) -> Floats:
    """Error of each label in robust standard deviations of errors at such an expected value [n].

    Args:
        label: Labels [n].
        expected: What a model says that was not trained on the row [n].

    >>> far_off(np.r_[np.arange(50.0), 500.0], np.r_[np.arange(50.0) + 1, 50.0]).argmax()
    np.int64(50)
    """
    if not len(label):
        return np.zeros(0)
    error = np.abs(label - expected)
    order = np.argsort(expected, kind="stable")
    # Errors grow with the number in most loops: each is held against those of its own tenth.
    spread = np.empty(len(label))
    for part in np.array_split(order, min(BINS, max(1, len(label) // 30))):
        spread[part] = np.median(error[part]) * _MAD_TO_SD
    least = np.median(error) * 1e-3 + np.finfo(float).tiny
    return error / np.maximum(spread, least)
