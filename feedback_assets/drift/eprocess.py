"""An e-process for "a material change has begun on some day": valid whenever it is looked at.

If a column never left its margin, the chance that its e-process ever reaches 1/a is at most a
(Ville 1939), however often one looks and whenever one stops. A change may begin on any day, so the
stake is spread over all possible first days (a mixture, as in the e-detectors of Shin, Ramdas and
Rinaldo 2024), and over the bets of `bets`. Since each day multiplies every bet, the mixture over
first days needs no more than one number a bet: wealth = (wealth + this day's stake) x factor.

Wealth beyond `CAP` is thrown away, which a gambler may always do: a column that has returned is
then believed within days, not after as many days as it was away.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from feedback_assets.drift.bets import RECENT
from feedback_assets.drift.bins import Floats

HALF = 30.0
"""Days among which half of the stake is spread; the rest thins out over all later days."""
CAP = 1e6
"""What a bet may add to the e-value at most."""
_STEEPEST = 600.0


def stakes(first: int, last: int) -> Floats:
    """What is staked on a change that begins at each position: h / ((h + j)(h + j + 1)).

    Over all positions, without end, they add up to 1.

    >>> float(stakes(0, 30).sum())
    0.5
    """
    j = np.arange(first, last, dtype=np.float64)
    return np.asarray(HALF / ((HALF + j) * (HALF + j + 1)))


def evidence(
    growth: Floats, shares: Floats, offset: int, wanted: Sequence[int], window: int
) -> Floats:
    """Logarithm of the e-process at each wanted position: [hypotheses, wanted].

    The value at position t depends on positions t - window + 1 to t alone, so it is the same
    whichever others are asked for.

    Args:
        growth: [hypotheses, days, bets] log factors; the last bet looks back `RECENT` days.
        shares: [hypotheses, bets] of each stake.
        offset: Position of the first day of `growth`.
        wanted: Positions to judge.
        window: How far back a change may begin, in positions.
    """
    stop = np.asarray(wanted, np.int64)
    found = np.full((len(shares), len(stop)), -np.inf)
    factors = np.exp(np.clip(growth, -_STEEPEST, _STEEPEST))
    most = np.minimum(CAP / np.maximum(shares, 1e-9), 1e12)
    staked = stakes(offset, offset + growth.shape[1])
    whole = np.flatnonzero(stop < window)
    if len(whole):
        wealth = np.zeros(shares.shape)
        at = {int(t): i for i, t in zip(whole, stop[whole], strict=True)}
        for t in range(int(stop[whole].max()) + 1 - offset):
            wealth = np.minimum((wealth + staked[t]) * factors[:, t], most)
            if t + offset in at:
                found[:, at[t + offset]] = _log_sum(wealth, shares, t + offset)
    late = np.flatnonzero(stop >= window)
    if len(late):
        first = stop[late] - window + 1 - offset
        wealth = np.zeros((len(shares), len(late), shares.shape[1]))
        for step in range(window):
            factor = factors[:, first + step]
            if step < RECENT:
                factor[..., -1] = 1.0
            wealth += staked[first + step][:, None]
            wealth *= factor
            np.minimum(wealth, most[:, None], out=wealth)
        found[:, late] = _log_sum(wealth, shares[:, None], stop[late])
    return found


def once(growth: Floats, shares: Floats) -> Floats:
    """Logarithm of the e-value of one day alone: [hypotheses].

    Args:
        growth: [hypotheses, bets] log factors of the day.
        shares: [hypotheses, bets] of the stake.
    """
    top = growth.max(axis=1, keepdims=True)
    return np.asarray(np.log((np.exp(growth - top) * shares).sum(axis=1)) + top[:, 0])


def first_day(growth: Floats, shares: Floats, rows: Floats, position: int) -> int:
    """The most probable first day of the change, given that there was one.

    Args:
        growth: [days, bets] log factors of one hypothesis; the judged day is the last.
        shares: [bets].
        rows: [days] rows; a change cannot be seen to begin on a day without any.
        position: Position of the first day given.

    Returns:
        Index into the days given.
    """
    with np.errstate(divide="ignore"):
        since = np.cumsum(growth[::-1], axis=0)[::-1] + np.log(shares)
    top = since.max(axis=1, keepdims=True)
    total = np.log(np.exp(since - top).sum(axis=1)) + top[:, 0]
    total += np.log(stakes(position, position + len(growth)))
    return int(np.argmax(np.where(rows > 0, total, -np.inf)))


def _log_sum(wealth: Floats, shares: Floats, position: npt.ArrayLike) -> Floats:
    """All bets together, with what is still held for later days."""
    held = HALF / (HALF + np.asarray(position, np.float64) + 1)
    return np.log((wealth * shares).sum(axis=-1) + held)
