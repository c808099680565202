"""Worlds with a known mean, from which few labels are drawn by lot."""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedback_assets.labels.ppi import Powered, powered_mean

Floats = npt.NDArray[np.float64]
ROWS = 4_000


@dataclass(frozen=True)
class Regime:
    """How a world's labels and guesses are made."""

    labels: int
    uneven: bool = False
    model: str = "good"
    rate: float = 0.5
    quantity: str = "right"


REGIMES = {
    "few": Regime(30),
    "few_uneven": Regime(40, uneven=True),
    "uneven": Regime(200, uneven=True),
    "many": Regime(1_000, uneven=True),
    "useless": Regime(100, model="useless"),
    "useless_uneven": Regime(100, uneven=True, model="useless"),
    "contrary": Regime(100, model="contrary"),
    "rare": Regime(200, rate=0.03),
    "rare_uneven": Regime(200, uneven=True, rate=0.05),
    "loss": Regime(100, quantity="log_loss"),
    "loss_few": Regime(30, quantity="log_loss"),
    "loss_uneven": Regime(150, uneven=True, quantity="log_loss"),
    "loss_rare": Regime(200, uneven=True, rate=0.05, quantity="log_loss"),
    "error": Regime(60, uneven=True, quantity="squared"),
}


@functools.cache
def expected(regime: Regime) -> float:
    """The mean that the world's law has."""
    truth, *_ = _rows(regime, np.random.default_rng(0), 2_000_000)
    return float(truth.mean())


def drawn(regime: Regime, seed: int) -> Powered:
    """One world, and what its labels say."""
    rng = np.random.default_rng(seed)
    truth, guess, doubt = _rows(regime, rng, ROWS)
    mass = doubt + 0.15 * doubt.mean() if regime.uneven else np.ones(ROWS)
    chance = np.minimum(regime.labels * mass / mass.sum(), 1)
    order = rng.permutation(ROWS)
    steps = np.floor(rng.random() + np.cumsum(chance[order]))
    rows = order[np.diff(steps, prepend=0.0) >= 1]
    return powered_mean(
        truth[rows], guess[rows], guess, chance[rows], share=regime.quantity == "right"
    )


def _rows(regime: Regime, rng: np.random.Generator, rows: int) -> tuple[Floats, Floats, Floats]:
    """The quantity, its guess, and the mass by which rows are drawn [rows]."""
    x = rng.normal(size=rows)
    if regime.quantity == "squared":
        scale = np.exp(0.7 * x)
        return (rng.normal(size=rows) * scale) ** 2, scale**2, scale
    logit = 2 * x + np.log(regime.rate / (1 - regime.rate)) * (1.5 if regime.rate < 0.5 else 1)
    score = 1 / (1 + np.exp(-logit))
    label = rng.random(rows) < 1 / (1 + np.exp(-(0.9 * logit - 0.2)))
    doubt = np.sqrt(score * (1 - score))
    sure = np.maximum(score, 1 - score)
    if regime.quantity == "right":
        truth, guess = ((score >= 0.5) == label).astype(float), sure
    else:
        truth = -np.log(np.where(label, score, 1 - score))
        guess = -(score * np.log(score) + (1 - score) * np.log(1 - score))
    if regime.model == "useless":
        guess = rng.random(rows)
    if regime.model == "contrary":
        guess = 1 - guess
    return truth, guess, doubt
