"""How many train rows of one principal, class or segment value may stay."""

from collections.abc import Sequence

import numpy as np


def class_limit(sizes: Sequence[int], ratio: float) -> int | None:
    """Most rows of a class where the rarest one has `min(sizes)`; None where all may stay.

    >>> class_limit([900, 100], 3.0), class_limit([200, 100], 3.0)
    (300, None)
    """
    most = int(ratio * min(sizes)) if sizes else 0
    return most if sizes and max(sizes) > most else None


def share_limit(sizes: Sequence[int], share: float) -> int | None:
    """Most rows of one value so that none has more than `share` of what stays; None if none has.

    With too few values for that share all get as many rows as the rarest.

    >>> share_limit([900, 100, 100], 0.5), share_limit([100, 100], 0.5), share_limit([90, 10], 0.2)
    (200, None, 10)
    """
    if not sizes or max(sizes) <= share * sum(sizes):
        return None
    ordered = np.sort(np.asarray(sizes, np.int64))[::-1]
    if share * len(ordered) < 1:
        return int(ordered[-1])
    left = np.append(np.cumsum(ordered[::-1])[::-1][1:], 0)
    # With the k + 1 largest at the limit c, c = share * ((k + 1) c + rows of the others).
    for k in range(len(ordered)):
        free = 1 - share * (k + 1)
        if free <= 1e-12:
            break
        limit = int(share * left[k] / free + 1e-9)
        if k + 1 == len(ordered) or ordered[k + 1] <= limit:
            return limit
    return int(ordered[-1])


def automatic_limit(automatic: int, others: int, share: float) -> int | None:
    """Most automatic labels beside `others`, so that they are at most `share` of all.

    >>> automatic_limit(500, 100, 0.5), automatic_limit(50, 100, 0.5), automatic_limit(9, 1, 1.0)
    (100, None, None)
    """
    if share >= 1:
        return None
    most = int(share / (1 - share) * others + 1e-9)
    return most if automatic > most else None
