"""Evidence that may be looked at after every row: the capital of one who bets against a hypothesis.

Somebody starts with 1 and bets, before each row, a share of the capital that the mean is higher than
the hypothesis says. If the hypothesis is true no way of betting makes that capital grow: it is a
nonnegative supermartingale, so the chance that it *ever* reaches 1/alpha is at most alpha (Ville
1939). The capital is an e-value at every moment, whenever one stops (Waudby-Smith & Ramdas 2023,
"Estimating means of bounded random variables by betting"; Ramdas, Gruenwald, Vovk & Shafer 2023).

Several gamblers, each tuned for a gain of another size, share the first capital equally or by
weight; their sum is an e-process again. It costs at most the logarithm of the best one's weight.
"""

from collections.abc import Mapping

import numpy as np

from feedback_assets.performance.metrics import Floats

# Nobody stakes everything: at 1 a single worst row would end the game for ever.
_STAKE = 0.9
# The variance that is assumed at first weighs as much as so many rows.
_GUESS_ROWS = 30
# Gamblers of days, by the gain of a day in standard deviations of a day, and their capital.
_DAILY: Mapping[float, float] = {0.1: 0.1, 0.25: 0.3, 0.5: 0.3, 1.0: 0.3}


def row_bets(d: Floats, tuned: Mapping[float, float], guess: float) -> list[tuple[float, Floats]]:
    """What each gambler would stake on each row, knowing only the rows before it.

    The stake `gain / variance` makes the capital grow fastest where the gain is that (Kelly 1956, to
    first order); the variance is that of the rows before, mixed with `guess`.

    Args:
        d: Differences [..., n].
        tuned: Gain to share of the first capital; the shares add up to 1.
        guess: Variance of a row as it is assumed before any was seen, above 0.

    Returns:
        Share of the capital and stakes [..., n], unbounded, of each gambler.
    """
    seen = np.arange(1, d.shape[-1] + 1, dtype=np.float64)
    total = np.cumsum(d, axis=-1)
    spread = np.maximum(np.cumsum(d * d, axis=-1) - total * total / seen, 0.0)
    variance = np.full(d.shape, guess)
    variance[..., 1:] = (_GUESS_ROWS * guess + spread[..., :-1]) / (_GUESS_ROWS + seen[:-1])
    return [(share, gain / variance) for gain, share in tuned.items()]


def row_capital(d: Floats, null: float, low: float, bets: list[tuple[float, Floats]]) -> Floats:
    """Log capital after each row of those who bet that the mean of `d` exceeds `null`.

    Valid for any dependence of a row on those before it: the hypothesis is that each row's mean,
    given the rows before, is at most `null`.

    Args:
        d: Differences [..., n], each at least `low`.
        null: The hypothesis's largest mean.
        low: Smallest possible difference, known beforehand; below `null`.
        bets: Of `row_bets`; each is cut where a worst row would take more than 0.9 of the capital.

    Returns:
        Log e-process [..., n].
    """
    excess, most = d - null, _STAKE / max(null - low, 1e-12)
    capital = np.full(d.shape, -np.inf)
    for share, stakes in bets:
        own = np.cumsum(np.log1p(np.minimum(stakes, most) * excess), axis=-1)
        capital = np.logaddexp(capital, own + np.log(share))
    return capital


def day_capital(sums: Floats, rows: Floats, null: float) -> Floats:
    """Log capital after each day of those who bet that the mean of a row exceeds `null`.

    Rows of one day may depend on each other in any way. The hypothesis is that a day's sum is spread
    symmetrically about a mean of at most `null` a row, given the days before. Then, whatever its
    size, the sign of `x` is a fair coin at best, and so is a bet that pays `tanh` of `x` over the
    root mean square of the days up to it: an odd, increasing function of `x` with values in [-1, 1].
    (Signs of symmetric variables: Efron 1969; as supermartingales: de la Pena 1999; Howard et al.
    2020, "Time-uniform Chernoff bounds", lemma 3 d. The factor 1 + tanh u is e^u / cosh u, never
    below their e^(u - u^2/2).)

    Args:
        sums: Sum of the differences of each day [..., days].
        rows: Rows of each day, of the same shape; known before the day is bet on.
        null: The hypothesis's largest mean of a row.

    Returns:
        Log e-process [..., days]. No day adds more than log 2: at alpha 0.05 nothing is proven before the seventh day.
    """
    x = sums - null * rows
    size = np.sqrt(np.cumsum(x * x, axis=-1) / np.arange(1, x.shape[-1] + 1))
    z = np.divide(x, size, out=np.zeros_like(x), where=size > 0)
    capital = np.full(x.shape, -np.inf)
    for bet, share in _DAILY.items():
        own = np.cumsum(np.log1p(np.tanh(bet * z)), axis=-1)
        capital = np.logaddexp(capital, own + np.log(share))
    return capital


def lower_ends(nulls: Floats, capital: Floats, bar: float) -> Floats:
    """Lower ends of a confidence sequence: the smallest mean that is not refuted.

    Args:
        nulls: Means, ascending [m].
        capital: Log capital against each of them at some moments [m, points].
        bar: Log capital from which a mean is refuted, log(1/alpha).

    Returns:
        [points]; between two of `nulls` by a straight line; -inf where even the smallest stands.
    """
    stands = capital < bar
    first = np.where(stands.any(axis=0), stands.argmax(axis=0), len(nulls) - 1)
    before = np.maximum(first - 1, 0)
    at = np.arange(capital.shape[1])
    above, below = capital[before, at], capital[first, at]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip((above - bar) / (above - below), 0.0, 1.0)
    share = np.where(np.isfinite(share), share, 0.0)
    ends = nulls[before] + share * (nulls[first] - nulls[before])
    return np.where(first == 0, -np.inf, ends)


def nulls_around(mean: float, error: float, reach: float) -> Floats:
    """Means to test for a confidence sequence, dense near `mean`, as far as `reach` [m], ascending."""
    steps = np.concatenate([np.arange(0.0, 6.0, 0.5), np.geomspace(6.0, 1e5, 24)])
    offsets = steps * max(error, 1e-12)
    offsets = np.append(offsets[offsets < reach], reach)
    return np.asarray(mean - offsets[::-1], dtype=np.float64)
