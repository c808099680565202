"""Which of many hypotheses to reject by their e-values, so that few of the rejections are false."""

import numpy as np
import numpy.typing as npt


def e_bh(log_e: npt.ArrayLike, alpha: float) -> npt.NDArray[np.bool_]:
    """The e-BH procedure (Wang and Ramdas 2022, J. R. Statist. Soc. B 84): bool [hypotheses].

    With the e-values in falling order, the largest k with e_(k) ≥ m / (k alpha) of m hypotheses is
    found and the k largest are rejected. The expected share of false rejections is at most `alpha`
    under any dependence, and at any time if the e-values are those of e-processes.

    Args:
        log_e: [hypotheses] natural logarithms of e-values; NaN is never rejected.
        alpha: Share of false rejections, 0 to 1.

    >>> e_bh(np.log([25.0, 12.0, 1.0]), 0.1).tolist()
    [False, False, False]
    >>> e_bh(np.log([25.0, 16.0, 1.0]), 0.1).tolist()
    [True, True, False]
    """
    values = np.nan_to_num(np.asarray(log_e, np.float64), nan=-np.inf)
    count = len(values)
    if not count:
        return np.zeros(0, np.bool_)
    falling = np.sort(values)[::-1]
    bars = np.log(count / (alpha * np.arange(1, count + 1)))
    passed = np.flatnonzero(falling >= bars)
    if not len(passed):
        return np.zeros(count, np.bool_)
    return values >= bars[passed[-1]]
