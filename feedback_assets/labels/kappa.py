"""How far each two people agree beyond chance (Cohen 1960; error by Fleiss, Cohen & Everitt 1969)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.labels.votes import Codes, Votes

Floats = npt.NDArray[np.float64]
COLUMNS = ("first", "second", "rows", "agreed", "kappa", "low", "high")


@dataclass(frozen=True)
class Pairs:
    """Answers of two people to one item, each couple of answers once [m]."""

    first: Codes
    """Position of an answer in the votes, of the person who sorts earlier [m]."""
    second: Codes
    """Position of the other's answer [m]."""


def couples(votes: Votes) -> Pairs:
    """Every two answers of different people to the same item.

    The work grows with the answers times the answers of the most answered item.
    """
    order = np.lexsort((votes.annotator, votes.item))
    item, who = votes.item[order], votes.annotator[order]
    firsts, seconds = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for step in range(1, int(votes.per_item.max(initial=0))):
        at = np.flatnonzero((item[step:] == item[:-step]) & (who[step:] != who[:-step]))
        firsts.append(order[at])
        seconds.append(order[at + step])
    return Pairs(np.concatenate(firsts), np.concatenate(seconds))


def kappas(votes: Votes, pairs: Pairs, confidence: float = 0.95) -> pd.DataFrame:
    """Cohen's kappa of every two people who answered the same items.

    Returns:
        `first`, `second` (names, sorted), `rows` (items both answered), `agreed` (share), `kappa`
        (NaN where both always gave the same single answer: chance would agree as well), `low`,
        `high` (two-sided; NaN where the error is not known).
    """
    from scipy.special import ndtri

    width, people = len(votes.classes), len(votes.annotators)
    a, b = votes.annotator[pairs.first], votes.annotator[pairs.second]
    couple, names = pd.factorize(a * people + b, sort=True)
    cells = (couple * width + votes.value[pairs.first]) * width + votes.value[pairs.second]
    # Cells that occur, not all of them: many people make many couples, and most answer a few classes.
    cell, count = np.unique(cells, return_counts=True)
    at, x, y = cell // width**2, cell // width % width, cell % width
    rows = np.bincount(couple, minlength=len(names)).astype(np.float64)
    p = count / rows[at]
    left = _margin(at, x, p, len(names), width)
    right = _margin(at, y, p, len(names), width)
    same = x == y
    seen = np.bincount(at[same], p[same], minlength=len(names)).astype(np.float64)
    chance = (left * right).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = np.where(chance < 1, (seen - chance) / (1 - chance), np.nan)
        error = _error(at, x, y, p, left, right, seen, chance, kappa, rows)
    reach = ndtri((1 + confidence) / 2) * error
    return pd.DataFrame(
        {
            "first": votes.annotators[names // people],
            "second": votes.annotators[names % people],
            "rows": rows.astype(np.int64),
            "agreed": seen,
            "kappa": kappa,
            "low": np.maximum(kappa - reach, -1),
            "high": np.minimum(kappa + reach, 1),
        }
    )[list(COLUMNS)]


def _margin(at: Codes, value: Codes, p: Floats, couples: int, width: int) -> Floats:
    """Shares of one side's answers by couple [c, k]."""
    flat = np.bincount(at * width + value, p, minlength=couples * width)
    return flat.reshape(couples, width).astype(np.float64)


def _error(
    at: Codes, x: Codes, y: Codes, p: Floats, left: Floats, right: Floats,
    seen: Floats, chance: Floats, kappa: Floats, rows: Floats,
) -> Floats:  # fmt: skip
    """Standard error of each kappa; NaN where the couple agreed always, which has no spread."""
    rest = 1 - kappa[at]
    # Transposed on purpose: the share of the other side's column goes with this side's row.
    margins = right[at, x] + left[at, y]
    term = np.where(x == y, p * (1 - margins * rest) ** 2, p * rest**2 * margins**2)
    summed = np.bincount(at, term, minlength=len(seen))
    spread = summed - (kappa - chance * (1 - kappa)) ** 2
    error = np.sqrt(np.maximum(spread, 0) / rows) / (1 - chance)
    return np.where(seen < 1, error, np.nan)
