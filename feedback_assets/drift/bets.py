"""Bets against "nothing material changed": what each row of a day multiplies a gambler's wealth by.

The null hypothesis of a column is that every day's distribution is within the margin of the
reference's true one, in Kullback-Leibler divergence. A bet is a positive factor for every cell
whose mean is at most 1 under all those distributions, so wealth that grows is evidence against the
null (test martingales: Shafer et al. 2011; betting on bounded means: Waudby-Smith and Ramdas 2024).
Days need not be alike, nor rows identically distributed; only each day within the margin.

Four kinds of bets are placed at once, each with a share of the first stake:

- shift and spread of an ordered column: the mean of normal scores of its tenths, and of their
  squares, is beyond what the margin allows;
- one cell's share is beyond what the margin allows, upwards or downwards;
- how rows come to have no value (null, empty, not a number): the same on those cells of all rows,
  with a margin of its own, so that values which swing from day to day do not hide nulls;
- the distribution is that of the last seven days, against the distribution nearest to it that the
  margin allows (the reverse information projection; Grünwald, de Heide and Koolen 2024), which
  sees any change of shape from its second day on.

What the reference itself leaves uncertain widens every bound: by `DOUBT` standard errors beyond the
margin, and to `DOUBT_ALONE` at least, where there is next to no margin to hide behind.
"""

from dataclasses import dataclass

import numpy as np

from feedback_assets.drift.bins import Floats
from feedback_assets.drift.bounds import mean_beyond, share_believed, share_beyond

DOUBT = 2.0
"""Standard errors of the reference that are allowed for on top of the margin."""
DOUBT_ALONE = 3.5
"""Standard errors of the reference that are never told from a change, margin or not."""
RECENT = 7
"""Days whose distribution is bet on the next day: a week, so that no weekday is a surprise."""
SMOOTHING = 20.0
"""Rows of the reference mixed into the recent days'."""
CELL_STEPS = (0.05, 0.13, 0.35)
"""How far beyond the bound a cell's share is bet to be, as an angle arcsin(sqrt(share))."""
PRESENCE_STEPS = (0.04, 0.1, 0.25, 0.7)
"""The same of the cells without a value."""
SCORE_STAKES = (0.08, 0.18, 0.4)
"""Stakes on the mean of scores: about the shift beyond the bound, in standard deviations."""
PRIOR = {
    True: {"shift": 0.40, "spread": 0.08, "cells": 0.16, "presence": 0.26, "recent": 0.10},
    False: {"shift": 0.0, "spread": 0.0, "cells": 0.56, "presence": 0.28, "recent": 0.16},
}
"""Ordered or not: share of the first stake that each kind of bet gets."""
_SURE = 1 - 1e-9
_HALVINGS = 35


@dataclass(frozen=True)
class Sample:
    """The same coarse cells of several hypotheses (columns of one kind, slices) over several days.

    Cells of the values are about tenths of the reference or its largest categories, and what lies
    outside; those of the presence are "a value", then each way of having none.
    """

    ordered: bool
    ref: Floats
    """[hypotheses, cells] rows of the reference by value."""
    days: Floats
    """[hypotheses, days, cells]."""
    possible: Floats
    """[hypotheses, cells] 1 for the cells that can be occupied at all."""
    ref_presence: Floats
    """[hypotheses, ways]."""
    days_presence: Floats
    """[hypotheses, days, ways]."""


def growth(sample: Sample, margin: Floats, presence_margin: Floats) -> tuple[Floats, Floats]:
    """By how much each day multiplies each bet, and the bets' shares of the first stake.

    Args:
        sample: The counts.
        margin: [hypotheses] divergence of the values that is immaterial, nats.
        presence_margin: [hypotheses] the same of the presence.

    Returns:
        Log factors [hypotheses, days, bets], the bet on recent days last; shares
        [hypotheses, bets], which sum to 1.
    """
    prior = PRIOR[sample.ordered]
    cells, cell_shares = _cell_bets(sample.ref, margin, sample.possible, CELL_STEPS)
    ways = np.ones(sample.ref_presence.shape)
    presence, way_shares = _cell_bets(sample.ref_presence, presence_margin, ways, PRESENCE_STEPS)
    logs, shares = [cells], [prior["cells"] * cell_shares]
    if sample.ordered:
        for kind, scores in zip(("shift", "spread"), _scores(sample.ref), strict=True):
            placed = _score_bets(sample.ref, margin, scores)
            logs.append(placed)
            shares.append(np.full((len(margin), placed.shape[2]), prior[kind] / placed.shape[2]))
    days = [
        sample.days @ np.concatenate(logs, axis=2),
        sample.days_presence @ presence,
        _recent(sample, margin)[..., None],
    ]
    shares += [prior["presence"] * way_shares, np.full((len(margin), 1), prior["recent"])]
    return np.concatenate(days, axis=2), np.concatenate(shares, axis=1)


def _cell_bets(
    ref: Floats, margin: Floats, possible: Floats, steps: tuple[float, ...]
) -> tuple[Floats, Floats]:
    """Bets on each cell's share: log factors [hypotheses, cells, bets] and shares of the stake."""
    rows = np.maximum(ref.sum(axis=1, keepdims=True), 1e-9)
    share, believed, alone = ref / rows, DOUBT**2 / (2 * rows), DOUBT_ALONE**2 / (2 * rows)
    eye = np.eye(ref.shape[1], dtype=bool)[None, :, :, None]
    logs = []
    for upwards in (True, False):
        bound = share_believed(share, alone, upwards)
        if margin.any():
            nearest = share_believed(share, believed, upwards)
            moved = share_beyond(nearest, margin[:, None], upwards)
            bound = np.maximum(bound, moved) if upwards else np.minimum(bound, moved)
        bound = np.clip(bound, 1 - _SURE, _SURE)[..., None]
        angle = np.arcsin(np.sqrt(bound)) + np.asarray(steps) * (1 if upwards else -1)
        bet = np.sin(np.clip(angle, 0.0, np.pi / 2)) ** 2
        bet = (
            np.maximum(np.minimum(bet, _SURE), bound)
            if upwards
            else np.clip(bet, np.maximum(bound / 1e3, 1 - _SURE), bound)
        )
        hit, missed = np.log(bet / bound), np.log((1 - bet) / (1 - bound))
        logs.append(np.where(eye, hit[:, None], missed[:, None]).reshape(*ref.shape, -1))
    each = np.repeat(possible / np.maximum(possible.sum(axis=1, keepdims=True), 1), len(steps), 1)
    shares = np.concatenate([0.6 * each, 0.4 * each], axis=1) / len(steps)
    return np.concatenate(logs, axis=2), shares


def _score_bets(ref: Floats, margin: Floats, scores: Floats) -> Floats:
    """Bets on the mean of scores of mean 0 and variance 1: log factors [hypotheses, cells, bets]."""
    q = _smoothed(ref)
    error = 1 / np.sqrt(np.maximum(ref.sum(axis=1), 1e-9))
    placed = []
    for sign in (1.0, -1.0):
        side = sign * scores
        bound = np.maximum(mean_beyond(side, q, margin) + DOUBT * error, DOUBT_ALONE * error)
        bound = np.minimum(bound, side.max(axis=1))
        worst = np.maximum(bound - side.min(axis=1), 1e-9)
        stake = np.minimum(np.asarray(SCORE_STAKES), 0.9 / worst[:, None])
        gain = side[:, :, None] - bound[:, None, None]
        placed.append(np.log1p(stake[:, None, :] * gain))
    return np.concatenate(placed, axis=2)


def _scores(ref: Floats) -> tuple[Floats, Floats]:
    """Normal scores of ordered cells and their squares, each of mean 0 and variance 1.

    The outermost cells (below and above) score as their neighbours: the reference says nothing of
    how far out they are.
    """
    from scipy.special import ndtri

    q = _smoothed(ref)
    order = [ref.shape[1] - 2, *range(ref.shape[1] - 2), ref.shape[1] - 1]
    inner = q[:, order]
    middle = np.cumsum(inner, axis=1) - inner / 2
    z = ndtri(middle)
    z[:, 0], z[:, -1] = z[:, 1], z[:, -2]
    scores = np.empty_like(z)
    scores[:, order] = z
    shift = _standardised(scores, q)
    return shift, _standardised(shift**2, q)


def _standardised(scores: Floats, q: Floats) -> Floats:
    centred = scores - (q * scores).sum(axis=1, keepdims=True)
    sd = np.sqrt((q * centred**2).sum(axis=1, keepdims=True))
    return np.where(sd > 1e-9, centred / np.maximum(sd, 1e-9), 0.0)


def _recent(sample: Sample, margin: Floats) -> Floats:
    """Log factors [hypotheses, days] of the bet that a day is like the last seven."""
    from scipy.special import chdtri, ndtr

    q = _smoothed(sample.ref, sample.possible)
    rows = np.maximum(sample.ref.sum(axis=1), 1e-9)
    degrees = np.maximum(sample.possible.sum(axis=1) - 1, 1)
    believed, alone = (chdtri(degrees, 1 - ndtr(z)) / (2 * rows) for z in (DOUBT, DOUBT_ALONE))
    epsilon = np.maximum((np.sqrt(believed) + np.sqrt(margin)) ** 2, alone)
    summed = np.cumsum(sample.days, axis=1)
    before = np.zeros_like(summed)
    before[:, 1:] = summed[:, :-1]
    before[:, RECENT + 1 :] -= summed[:, : -RECENT - 1]
    bet = before + SMOOTHING * q[:, None]
    bet /= bet.sum(axis=2, keepdims=True)
    logs = np.zeros(sample.days.shape[:2])
    apart = _divergence(q[:, None], bet) > epsilon[:, None]
    apart &= sample.days.sum(axis=2) > 0
    h, d = np.nonzero(apart)
    if len(h):
        nearest = _nearest(bet[h, d], q[h], epsilon[h])
        odds = np.log(np.maximum(bet[h, d], 1e-300) / np.maximum(nearest, 1e-300))
        logs[h, d] = (sample.days[h, d] * odds).sum(axis=1)
    return logs


def _nearest(bet: Floats, q: Floats, epsilon: Floats) -> Floats:
    """The distribution p with KL(q || p) ≤ epsilon that is nearest to `bet`: [n, cells].

    It lies on the line between the two, where KL(q || p) = epsilon.
    """
    low, high = np.zeros(len(bet)), np.ones(len(bet))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        p = bet + middle[:, None] * (q - bet)
        inside = _divergence(q, p) <= epsilon
        low, high = np.where(inside, low, middle), np.where(inside, middle, high)
    return bet + low[:, None] * (q - bet)


def _divergence(q: Floats, p: Floats) -> Floats:
    """KL(q || p) over the last axis."""
    return np.where(q > 0, q * np.log(np.maximum(q, 1e-300) / np.maximum(p, 1e-300)), 0.0).sum(-1)


def _smoothed(ref: Floats, possible: Floats | None = None) -> Floats:
    """Shares of the reference with half a row more in every cell."""
    more = ref + (0.5 if possible is None else 0.5 * possible)
    return more / more.sum(axis=1, keepdims=True)
