"""How far a share or a mean score may move while the divergence stays within a margin.

All functions are elementwise over arrays of any shape and always answer within the possible range.
"""

from collections.abc import Callable

import numpy as np

from feedback_assets.drift.bins import Floats

_TINY = 1e-12
_STEPS = 32
"""Halvings of an interval: shares are then exact to 1e-9."""


def binary_divergence(p: Floats, q: Floats) -> Floats:
    """Kullback-Leibler divergence of two shares, KL(p || q), in nats.

    >>> round(float(binary_divergence(np.array(0.5), np.array(0.25))), 4)
    0.1438
    """
    p, q = np.clip(p, _TINY, 1 - _TINY), np.clip(q, _TINY, 1 - _TINY)
    return np.maximum(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)), 0.0)


def share_beyond(share: Floats, epsilon: Floats, upwards: bool) -> Floats:
    """The furthest share p with KL(p || share) ≤ `epsilon`."""
    return _furthest(share, epsilon, upwards, lambda p: binary_divergence(p, share))


def share_believed(share: Floats, epsilon: Floats, upwards: bool) -> Floats:
    """The furthest true share q that an observed `share` leaves possible: KL(share || q) ≤ epsilon.

    With epsilon = z² / 2n these are the limits of the likelihood-ratio interval at z standard
    errors, which hold for shares of 0 too.
    """
    return _furthest(share, epsilon, upwards, lambda q: binary_divergence(share, q))


def mean_beyond(scores: Floats, shares: Floats, epsilon: Floats) -> Floats:
    """Largest mean of `scores` under a distribution p with KL(p || shares) ≤ `epsilon`.

    The largest is reached by tilting, p ∝ shares · exp(θ scores) (Donsker and Varadhan 1975).

    Args:
        scores: [..., cells].
        shares: [..., cells], all above 0.
        epsilon: [...] nats.
    """
    top = scores.max(axis=-1, keepdims=True)
    low, high = np.zeros(scores.shape[:-1]), np.full(scores.shape[:-1], 60.0)
    mean = np.zeros(scores.shape[:-1])
    for _ in range(_STEPS):
        middle = (low + high) / 2
        weight = shares * np.exp(middle[..., None] * (scores - top))
        total = weight.sum(axis=-1)
        mean = (weight * scores).sum(axis=-1) / total
        divergence = middle * (mean - top[..., 0]) - np.log(total)
        inside = divergence <= epsilon
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return mean


def _furthest(
    share: Floats, epsilon: Floats, upwards: bool, divergence: Callable[[Floats], Floats]
) -> Floats:
    share = np.asarray(share, np.float64)
    near, far = share.copy(), np.full(share.shape, 1.0 if upwards else 0.0)
    for _ in range(_STEPS):
        middle = (near + far) / 2
        inside = divergence(middle) <= epsilon
        near, far = np.where(inside, middle, near), np.where(inside, far, middle)
    return far
