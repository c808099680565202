"""What several people's answers say together, and how each of them errs (Dawid & Skene 1979).

The true class of an item is not seen; a person who looks at class j answers l with a chance of their
own. Expectation-maximization finds both. With Dirichlet priors (MAP) somebody with few answers is
taken to be like everybody, a little better than chance, instead of perfect or useless.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedback_assets.labels.votes import Codes, Votes

Floats = npt.NDArray[np.float64]
_FLOOR = 1e-300


@dataclass(frozen=True)
class Skilled:
    """Classes of items and habits of people, found together."""

    posterior: Floats
    """Chance of each class, by item [i, k]."""
    confusion: Floats
    """Chance of each answer (last axis) where a class is true, by person [a, k, k]."""
    prior: Floats
    """Share of each class [k]."""
    loglik: float
    """Logarithm of the answers' likelihood at the end (priors not included)."""
    rounds: int
    """Rounds of expectation and maximization."""
    converged: bool
    """Whether the last round moved no chance by more than the tolerance."""


def dawid_skene(
    votes: Votes,
    known: Codes | None = None,
    agree: float = 4.0,
    stray: float = 1.0,
    tolerance: float = 1e-6,
    max_rounds: int = 500,
) -> Skilled:
    """Find items' classes and people's habits by expectation-maximization.

    It begins with each item's shares of answers (equation 3.1 of the paper).

    Args:
        votes: Answers [n]; repeated ones of a person count each.
        known: Position of the true class by item, -1 where it is not known [i].
        agree: Answers that each person is taken to have given rightly before, by class.
        stray: Answers that each person is taken to have guessed before, by class, as often right as
            answers are usual: so a rare class is not taken for a slip. Both 0 is the paper's maximum
            likelihood.
        tolerance: Largest change of a posterior in the last round.
        max_rounds: At most so many rounds.
    """
    width, people = len(votes.classes), len(votes.annotators)
    shares = votes.counts()
    posterior = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1)
    fixed = np.flatnonzero(known >= 0) if known is not None else np.zeros(0, np.int64)
    truth = np.eye(width)[known[fixed]] if known is not None else np.zeros((0, width))
    posterior[fixed] = truth
    usual = (shares.sum(axis=0) + 0.5) / (shares.sum() + 0.5 * width)
    habit = agree * np.eye(width) + stray * usual
    # Equal answers of one person to one item are one cell: fewer rows, and each with its count.
    cell, often = np.unique(
        (votes.item * people + votes.annotator) * width + votes.value, return_counts=True
    )
    item, said = cell // (people * width), cell % (people * width)
    loglik, rounds, converged = -np.inf, 0, False
    confusion, prior = np.zeros((people, width, width)), np.zeros(width)
    while rounds < max_rounds and not converged:
        rounds += 1
        confusion = _confusion(item, said, often, posterior, people, habit)
        prior = (posterior.sum(axis=0) + stray * usual) / (len(posterior) + stray)
        before = posterior
        posterior, loglik = _expected(item, said, often, confusion, prior, len(shares))
        posterior[fixed] = truth
        converged = bool(np.abs(posterior - before).max(initial=0) <= tolerance)
    return Skilled(posterior, confusion, prior, loglik, rounds, converged)


def _confusion(
    item: Codes, said: Codes, often: Codes, posterior: Floats, people: int, habit: Floats
) -> Floats:
    """Each person's answers by true class, as shares [a, k true, k said]."""
    width = posterior.shape[1]
    weights: Sequence[Floats] = [posterior[item, j] * often for j in range(width)]
    counted = [np.bincount(said, w, minlength=people * width) for w in weights]
    seen = np.stack(counted, axis=1).reshape(people, width, width).transpose(0, 2, 1) + habit
    total = seen.sum(axis=2, keepdims=True)
    # Without priors a class that nobody's items have leaves the row empty: as in the paper, zero.
    return np.divide(seen, total, out=np.zeros_like(seen), where=total > 0)


def _expected(
    item: Codes, said: Codes, often: Codes, confusion: Floats, prior: Floats, items: int
) -> tuple[Floats, float]:
    """Chance of each class by item [i, k], and the answers' log likelihood."""
    width = len(prior)
    chance = np.log(np.maximum(confusion, _FLOOR)).transpose(0, 2, 1).reshape(-1, width)
    terms = chance[said] * often[:, None]
    joint = np.stack(
        [np.bincount(item, terms[:, j], minlength=items) for j in range(width)], axis=1
    )
    joint += np.log(np.maximum(prior, _FLOOR))
    top = joint.max(axis=1, keepdims=True)
    scaled = np.exp(joint - top)
    total = scaled.sum(axis=1, keepdims=True)
    return scaled / total, float((np.log(total) + top).sum())
