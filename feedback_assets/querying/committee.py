"""A committee of small models, each of which learned from other labels: where they disagree, labels teach.

There are two families, linear models and randomised trees, each fitted on bootstraps of the labels
(query by bagging, Abe & Mamitsuka 1998). For classes a family's disagreement is the mean divergence
of a member from its mean answer (McCallum & Nigam 1998); unlike entropy, it is small where the truth
itself is uncertain but well known. For numbers it is the standard deviation. Families are not
compared with each other, as a line and a tree differ however many labels there are: each family's
disagreement is measured by its own on labelled rows, and the mean over families counts.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from feedback_assets.config.schema import LabelKind
from feedback_assets.querying.scores import Floats, Singles

LINES = 8
"""Linear models of a committee."""
TREES = 40
"""Trees of a committee."""
MOST_ROWS = 5_000
"""Labels that a committee learns from at most."""
FEWEST_ROWS = 10
"""With fewer labels there is no committee."""


@dataclass(frozen=True)
class Family:
    """Models of one kind."""

    members: tuple[Any, ...]
    """Fitted estimators of scikit-learn."""
    usual: float
    """Their mean disagreement on labelled rows."""


@dataclass(frozen=True)
class Committee:
    """Fitted models of one label."""

    families: tuple[Family, ...]
    classes: np.ndarray
    """The label's values, sorted [k]; empty for numbers."""

    @classmethod
    def fit(
        cls,
        space: Singles,
        labels: np.ndarray,
        kind: LabelKind,
        seed: int = 7,
        weights: Floats | None = None,
    ) -> Self | None:
        """Train a committee.

        Args:
            space: features of labelled rows [l, d], finite.
            labels: their labels [l]: 0/1, classes, or numbers; null where unknown.
            kind: of the label.
            seed: of bootstraps and trees.
            weights: how much each label counts [l], evenly if None.

        Returns:
            None with fewer than `FEWEST_ROWS` labels, or where all labels are the same.
        """
        rng = np.random.default_rng(seed)
        known = _known(labels)
        if known.size > MOST_ROWS:
            known = np.sort(rng.choice(known, MOST_ROWS, replace=False))
        target = np.asarray(labels)[known]
        target = target.astype(np.float64) if kind == "regression" else target.astype(str)
        classes, codes = np.unique(target, return_inverse=True)
        if known.size < FEWEST_ROWS or classes.size < 2 or not space.shape[1]:
            return None
        answers = target if kind == "regression" else codes
        points, k = space[known], 0 if kind == "regression" else classes.size
        chance = None if weights is None else np.asarray(weights, dtype=np.float64)[known]
        families = (
            _lines(points, answers, kind, chance, rng),
            _trees(points, answers, kind, chance, seed),
        )
        usual = [float(_disagreement(_answers(members, points, k)).mean()) for members in families]
        return cls(
            tuple(Family(m, u) for m, u in zip(families, usual, strict=True)),
            classes if k else np.empty(0),
        )

    def disagreement(self, space: Singles) -> Floats:
        """How much the members disagree on each row [n]; 1 is usual on labelled rows."""
        found = np.zeros(len(space))
        for family in self.families:
            if family.usual > 0 and len(space):
                answers = _answers(family.members, space, self.classes.size)
                found += _disagreement(answers) / family.usual / len(self.families)
        return found


def _answers(members: tuple[Any, ...], space: Singles, k: int) -> Floats:
    """Probabilities [members, n, k], or values [members, n, 1]."""
    found = np.zeros((len(members), len(space), max(k, 1)))
    for i, member in enumerate(members):
        if k:
            found[i][:, member.classes_.astype(np.int64)] = member.predict_proba(space)
        else:
            found[i, :, 0] = member.predict(space)
    return found


def _disagreement(answers: Floats) -> Floats:
    if answers.shape[2] > 1:
        return kl_to_mean(answers)
    return np.asarray(answers[:, :, 0].std(axis=0), dtype=np.float64)


def kl_to_mean(answers: Floats) -> Floats:
    """Mean Kullback-Leibler divergence of the members from their mean answer, in nats [n].

    Args:
        answers: probabilities [members, n, k].
    """
    mean = answers.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(answers > 0, answers * np.log(answers / mean), 0.0)
    return np.asarray(np.maximum(terms.sum(axis=2).mean(axis=0), 0.0), dtype=np.float64)


def vote_entropy(answers: Floats) -> Floats:
    """Entropy of the members' likeliest classes in nats [n] (Dagan & Engelson 1995).

    Args:
        answers: probabilities [members, n, k].
    """
    k = answers.shape[2]
    share = (answers.argmax(axis=2)[:, :, None] == np.arange(k)).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(share > 0, share * np.log(share), 0.0)
    return np.asarray(np.maximum(-terms.sum(axis=1), 0.0), dtype=np.float64)


def _known(labels: np.ndarray) -> npt.NDArray[np.int64]:
    import pandas as pd

    return np.flatnonzero(pd.notna(pd.Series(labels)))


def _lines(
    space: Singles,
    answers: np.ndarray,
    kind: LabelKind,
    weights: Floats | None,
    rng: np.random.Generator,
) -> tuple[Any, ...]:
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression, Ridge

    chance = None if weights is None or weights.sum() <= 0 else weights / weights.sum()
    members: list[Any] = []
    for _ in range(LINES):
        rows = rng.choice(len(space), len(space), replace=True, p=chance)
        member: Any = (
            Ridge() if kind == "regression" else LogisticRegression(max_iter=200, tol=1e-3)
        )
        if kind != "regression" and np.unique(answers[rows]).size < 2:
            member = DummyClassifier()
        members.append(member.fit(space[rows], answers[rows]))
    return tuple(members)


def _trees(
    space: Singles, answers: np.ndarray, kind: LabelKind, weights: Floats | None, seed: int
) -> tuple[Any, ...]:
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    made = ExtraTreesRegressor if kind == "regression" else ExtraTreesClassifier
    forest = made(
        n_estimators=TREES,
        min_samples_leaf=max(2, len(space) // 100),
        max_features=0.4,
        bootstrap=True,
        random_state=seed,
        n_jobs=1,
    )
    return tuple(forest.fit(space, answers, sample_weight=weights).estimators_)
