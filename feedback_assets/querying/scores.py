"""How little the model is sure of a row, and how usual the row is.

Entropy, margin and least confidence as in Settles (2009), section 3.1; density as in his
information density, section 3.6, with a Gaussian similarity.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

SAMPLE = 1_000
"""Rows that density is measured against."""
CHUNK = 8_192
"""Rows compared at once: a bound on memory."""


def entropy(probabilities: Floats) -> Floats:
    """Entropy of each row's answer in nats [n]: 0 for a sure answer, log(k) for an even one.

    Args:
        probabilities: by class [n, k]; they are brought to a sum of 1.

    Returns:
        NaN where a probability is not a number, negative, or all are 0; so below.
    """
    p = _clean(probabilities)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p), p * 0.0)
    return np.asarray(np.maximum(-terms.sum(axis=1), 0.0), dtype=np.float64)


def margin(probabilities: Floats) -> Floats:
    """1 less the lead of the likeliest class over the next [n]: 1 where two are equally likely."""
    p = np.sort(_clean(probabilities), axis=1)
    if p.shape[1] < 2:
        return np.zeros(len(p))
    return np.asarray(1 - (p[:, -1] - p[:, -2]), dtype=np.float64)


def least_confidence(probabilities: Floats) -> Floats:
    """Probability that the likeliest class is wrong [n]."""
    p = _clean(probabilities)
    return 1 - p.max(axis=1) if p.shape[1] else np.zeros(len(p))


def density(space: Singles) -> Floats:
    """Mean similarity of each row to the pool [n], 0 to 1: high where many rows are alike.

    Similarity is exp(-(distance / usual distance)^2 / 2), against at most `SAMPLE` rows.

    Args:
        space: features [n, d], finite.
    """
    n = len(space)
    if n < 2 or not space.shape[1]:
        return np.ones(n)
    others = space[np.linspace(0, n - 1, min(n, SAMPLE)).astype(np.int64)]
    usual = usual_distance(others)
    if usual == 0:
        return np.ones(n)
    found = np.empty(n)
    for at in range(0, n, CHUNK):
        squares = squared_distances(space[at : at + CHUNK], others)
        found[at : at + CHUNK] = np.exp(squares / (-2 * usual**2)).mean(axis=1)
    return found


def usual_distance(space: Singles) -> float:
    """Median distance of two rows, of at most `SAMPLE` pairs; 0 where most rows are the same."""
    n = len(space)
    if n < 2:
        return 0.0
    rng = np.random.default_rng(0)
    first = rng.integers(0, n, SAMPLE)
    second = (first + rng.integers(1, n, SAMPLE)) % n
    gaps = space[first].astype(np.float64) - space[second]
    return float(np.median(np.sqrt((gaps * gaps).sum(axis=1))))


def squared_distances(rows: Singles, others: Singles) -> Singles:
    """Squared distance of every row to every other [n, m]."""
    products = rows @ others.T
    products *= -2
    products += (rows * rows).sum(axis=1)[:, None]
    products += (others * others).sum(axis=1)[None, :]
    return np.maximum(products, 0, out=products)


def _clean(probabilities: Floats) -> Floats:
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2:
        raise ValueError(f"probabilities must be [rows, classes], not of shape {p.shape}")
    sums = p.sum(axis=1, keepdims=True)
    good = np.isfinite(sums) & (sums > 0) & (p >= 0).all(axis=1, keepdims=True)
    return np.where(good, p / np.where(good, sums, 1.0), np.nan)
