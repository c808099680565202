"""Whose labels contradict what everybody else's teach: those are left out until somebody looks."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.trust import Trust
from feedback_assets.labels.contradiction import Evidence, evidence
from feedback_assets.labels.patterns import fits

Ints = npt.NDArray[np.int64]
Teach = Callable[[Ints, Ints], npt.NDArray[np.float64]]
"""From positions of the rows taught and of the rows asked: probability of each class [asked, k]."""
FOLDS = 5
MOST_TAUGHT = 20_000
MOST_JUDGED = 2_000
"""Labels of one principal that are looked at."""
TAUGHT_TIMES = 4
"""Nobody teaches with more labels than so many times the median principal's."""
COLUMNS = ("principal", "rows", "agreement", "expected", "evidence", "verdict", "since")
NOBODY = -1


@dataclass(frozen=True)
class Verdicts:
    """What is thought of each principal.

    Attributes:
        frame: A row each, those with most evidence against them first: `rows` (judged),
            `agreement` (share of his labels that are what others' labels make likeliest),
            `expected` (that share of an honest one), `evidence` (log10 of the e-value), `verdict`
            (trusted, few labels, contradicts, turned, cleared), `since` (of who turned: when).
        words: What was done, or why nothing was.
    """

    frame: pd.DataFrame
    words: str

    @property
    def quarantined(self) -> list[str]:
        """Principals that are left out."""
        wrong = self.frame["verdict"].isin(["contradicts", "turned"])
        return sorted(self.frame.loc[wrong, "principal"])


def nothing(words: str) -> Verdicts:
    """No verdicts, for a reason."""
    return Verdicts(pd.DataFrame(columns=list(COLUMNS)), words)


def most_rows(sizes: npt.NDArray[np.int64], trust: Trust) -> int | None:
    """The cap: most rows of one principal, by the rows each one has; None where there is none.

    >>> most_rows(np.array([10] * 30 + [900]), Trust())
    40
    """
    if trust.cap_times is None or len(sizes) < trust.cap_from:
        return None
    return math.ceil(trust.cap_times * float(np.median(sizes)))


def judge_principals(
    principal: npt.NDArray[np.object_],
    said: Ints,
    at: Ints,
    teach: Teach,
    trust: Trust,
) -> Verdicts:
    """Judge everybody by what the others' labels teach.

    Nobody teaches more than his share (a few who flood a loop would teach their own truth), nor
    about himself. Those who are found out in a first round teach nobody in the second, which counts.

    Args:
        principal: Who said each label [n], None for nobody known; rows in the order of a hash.
        said: The class of each label [n].
        at: When each was received [n], any unit.
        teach: Learns and predicts.
        trust: The section of the loop's file.
    """
    who, names = pd.factorize(principal, sort=True)
    who = who.astype(np.int64)
    sizes = np.bincount(who[who >= 0], minlength=len(names))
    judged = np.flatnonzero(sizes >= trust.min_rows)
    if not trust.quarantine:
        return nothing("trust.quarantine is off")
    if not len(judged) or len(names) + (who == NOBODY).any() < 3:
        return nothing("fewer than three principals say labels: none can be judged by the others")
    place = _place(who)
    most = math.ceil(TAUGHT_TIMES * float(np.median(sizes)))
    teaching = (who == NOBODY) | (place < most)
    rows = np.flatnonzero(np.isin(who, judged) & (place < MOST_JUDGED))
    rows = rows[np.lexsort((rows, at[rows], who[rows]))]
    against = np.empty(0, np.int64)
    limit = math.log(len(judged) / trust.alpha)
    for _ in range(2):
        heard = teaching & ~np.isin(who, against)
        likely = _taught_by_others(who, names, heard, rows, teach)
        codes = np.searchsorted(judged, who[rows])
        found = evidence(likely, said[rows], codes, len(judged))
        against = judged[found.total > limit]
        disputed = (teaching & np.isin(who, against)).sum() >= 0.5 * teaching.sum()
        if disputed:
            break
    frame = _frame(names, sizes, judged, found, at[rows][found.since], limit, trust)
    frame = frame.merge(_agreement(names[judged], codes, likely, said[rows]), how="left")
    frame = frame[list(COLUMNS)].sort_values(
        ["evidence", "rows", "principal"], ascending=[False, False, True], ignore_index=True
    )
    if disputed:
        frame["verdict"] = "disputed"
        return Verdicts(
            frame, "half of the labels contradict the other half: nobody can say who is right"
        )
    out = frame["verdict"].isin(["contradicts", "turned"]).sum()
    return Verdicts(
        frame, f"{len(judged):,} of {len(names):,} principals judged, {out} in quarantine"
    )


def _place(who: Ints) -> Ints:
    """Of each row, how many of the same principal came before [n]."""
    return np.asarray(pd.Series(who).groupby(who).cumcount(), np.int64)


def _taught_by_others(
    who: Ints,
    names: npt.NDArray[np.object_],
    heard: npt.NDArray[np.bool_],
    rows: Ints,
    teach: Teach,
) -> npt.NDArray[np.float64]:
    """Class probabilities of the rows, taught by principals of other folds [rows, k]."""
    order = np.argsort([_mark(str(name)) for name in names], kind="stable")
    fold = np.empty(len(names), np.int64)
    fold[order] = np.arange(len(names)) % FOLDS
    of_row = np.where(who == NOBODY, NOBODY, fold[who])
    parts: dict[int, npt.NDArray[np.float64]] = {}
    for one in np.unique(of_row[rows]).tolist():
        taught = np.flatnonzero(heard & (of_row != one))[:MOST_TAUGHT]
        parts[one] = teach(taught, rows[of_row[rows] == one])
    likely = np.empty((len(rows), next(iter(parts.values())).shape[1]))
    for one, part in parts.items():
        likely[of_row[rows] == one] = part
    return likely


def _frame(
    names: npt.NDArray[np.object_],
    sizes: Ints,
    judged: Ints,
    found: Evidence,
    turned_at: Ints,
    limit: float,
    trust: Trust,
) -> pd.DataFrame:
    """Every principal with the verdict."""
    frame = pd.DataFrame({"principal": names, "rows": sizes, "verdict": "few labels"})
    wrong = found.total > limit
    later = found.turned > found.always
    verdict = np.where(wrong, np.where(later, "turned", "contradicts"), "trusted").astype(object)
    cleared = np.array([fits(str(name), trust.cleared) for name in names[judged]], np.bool_)
    verdict[wrong & cleared] = "cleared"
    frame.loc[judged, "verdict"] = verdict
    frame.loc[judged, "evidence"] = found.total / math.log(10)
    frame["since"] = pd.Series(turned_at, index=judged, dtype="Int64").where(wrong & later)
    return frame


def _agreement(
    names: npt.NDArray[np.object_], codes: Ints, likely: npt.NDArray[np.float64], said: Ints
) -> pd.DataFrame:
    """How often each one's labels are the likeliest ones, and how often an honest one's would be."""
    rows = np.bincount(codes, minlength=len(names))
    agrees = np.bincount(codes, likely.argmax(axis=1) == said, minlength=len(names))
    expected = np.bincount(codes, likely.max(axis=1), minlength=len(names))
    return pd.DataFrame(
        {"principal": names, "agreement": agrees / rows, "expected": expected / rows}
    )


def _mark(name: str) -> str:
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
