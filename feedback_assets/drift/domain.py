"""Multivariate drift: can a classifier tell a day's rows from the reference's?

What no column shows alone (two features that stop going together) a classifier still finds. It is
trained and asked on different rows: five folds, each scored by a model of the other four. Where it
is no better than chance (AUC 0.5) nothing it could find has moved.

One day is never a fair draw of many: what is the same for all rows of a day (its weekday, its
weather) gives the day away. `usual_auc` says how well the reference's own days are told from the
rest; an AUC up to that is immaterial.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.judgement import Drift
from feedback_assets.drift import values as raw
from feedback_assets.drift.bins import Floats, Kind, short
from feedback_assets.performance.metrics import positive_ranks

MAX_ROWS = 2_000
"""Rows used of each side."""
FOLDS = 5
CATEGORIES = 60
"""Categories told apart, most frequent of both sides first; the rest are one."""
BINS = 60
"""Quantiles that numbers are told apart by."""
SHOWN = 5
"""Columns named."""
BOOSTING = {
    "max_iter": 40, "learning_rate": 0.15, "max_leaf_nodes": 8, "min_samples_leaf": 20,
    "l2_regularization": 1.0, "max_bins": 63, "early_stopping": False,
}  # fmt: skip
STAKES = (0.05, 0.15, 0.4, 1.0)
"""Shares of the classifier's own confidence that the e-value bets."""

DomainStatus = Literal["stable", "immaterial", "drift", "insufficient"]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DomainVerdict:
    """How well the day's rows are told from the reference's."""

    status: DomainStatus
    auc: float
    """Mean out-of-fold AUC; 0.5 is chance."""
    low: float
    """Its interval at confidence 1 - alpha, two-sided: DeLong's (1988) within folds, widened for
    what the folds share."""
    high: float
    margin: float
    """AUC up to which a difference is immaterial."""
    evidence: float
    """ln of the e-value against "the rows are exchangeable"."""
    rows: int
    rows_ref: int
    """Rows used of each side."""
    columns: tuple[tuple[str, float], ...] = ()
    """Columns that give the day away: name, and by how much the AUC falls when only that column
    is shuffled among held-out rows (Breiman 2001). Columns that tell the same share it."""
    reason: str = ""
    """In plain words with numbers."""


@dataclass(frozen=True)
class _Features:
    x: Floats
    """[rows, features]: ranks of numbers, codes of categories; NaN for null."""
    names: tuple[str, ...]
    """The column each feature comes from."""
    categorical: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Fold:
    auc: float
    variance: float
    drops: Floats
    """[features] fall of the AUC with that feature's column shuffled."""


def domain_verdict(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    kinds: Mapping[str, Kind],
    drift: Drift,
    usual: float = 0.5,
    seed: int = 7,
) -> DomainVerdict:
    """Train and ask the classifier; the same whatever the order of the rows.

    Args:
        reference: Raw rows, a sample of what the champion was trained on; more than `MAX_ROWS`
            are thinned by a hash of their content.
        current: Raw rows of the judged day.
        kinds: Columns to use, and what each holds. Text is judged by its length and words.
        drift: `alpha`, `margin_sd` and `min_rows` are read. A shift of `margin_sd` standard
            deviations of one normal column would give the AUC that is immaterial anyway.
        usual: What `usual_auc` found on the reference.
        seed: Of folds, shuffles and boosting.
    """
    from threadpoolctl import threadpool_limits

    margin = max(usual, NormalDist().cdf(drift.margin_sd / math.sqrt(2)))
    if not kinds or min(len(reference), len(current)) < max(drift.min_rows, 2 * FOLDS):
        return _unknown(margin, len(current), len(reference), drift)
    frames = [_thinned(frame, list(kinds), seed) for frame in (reference, current)]
    rows_ref, rows = (len(frame) for frame in frames)
    features = _features(pd.concat(frames, ignore_index=True), kinds)
    is_current = np.repeat([0, 1], [rows_ref, rows])
    folds = np.concatenate([np.arange(rows_ref), np.arange(rows)]) % FOLDS
    with threadpool_limits(1):  # so few rows are slower on more
        told = list(_told(features, is_current, folds, seed))
        evidence = _evidence(features, is_current, folds, seed)
    auc = float(np.mean([fold.auc for fold in told]))
    # Folds are not independent: each model saw the others' rows (Nadeau and Bengio 2003).
    variance = float(np.mean([fold.variance for fold in told])) * (1 / FOLDS + 1 / (FOLDS - 1))
    half = NormalDist().inv_cdf(1 - drift.alpha / 2) * math.sqrt(variance)
    low, high = max(auc - half, 0.0), min(auc + half, 1.0)
    status: DomainStatus = "stable"
    if evidence >= math.log(1 / drift.alpha):
        status = "drift" if low > margin else "immaterial"
    columns = () if status == "stable" else _telling(told, features.names)
    reason = _words(status, auc, low, high, margin, columns)
    return DomainVerdict(status, auc, low, high, margin, evidence, rows, rows_ref, columns, reason)


def usual_auc(
    reference: pd.DataFrame,
    days: npt.ArrayLike,
    kinds: Mapping[str, Kind],
    drift: Drift,
    tried: int = 4,
    seed: int = 7,
) -> float:
    """The largest AUC by which some of the reference's days are told from its other days.

    Args:
        reference: Raw rows of the reference.
        days: [rows] partition of each.
        kinds: As for `domain_verdict`.
        drift: As for `domain_verdict`.
        tried: Days that are tried, evenly over those with enough rows; half a CPU second each.
        seed: As for `domain_verdict`.

    Returns:
        At least 0.5, which is also the answer where fewer than two days have enough rows.
    """
    day = np.asarray(days).astype(str)
    keys, rows = np.unique(day, return_counts=True)
    enough = keys[rows >= max(drift.min_rows, 2 * FOLDS)]
    if len(enough) < 2:
        return 0.5
    spaced = np.linspace(0, len(enough) - 1, min(tried, len(enough))).round().astype(np.int64)
    found = [
        domain_verdict(reference[day != key], reference[day == key], kinds, drift, 0.5, seed).auc
        for key in enough[spaced]
    ]
    return max(0.5, *(auc for auc in found if not math.isnan(auc)))


def _thinned(frame: pd.DataFrame, columns: list[str], seed: int) -> pd.DataFrame:
    """At most `MAX_ROWS` rows in an order that only their content and the seed decide."""
    known = frame.reindex(columns=columns)
    hashed = pd.util.hash_pandas_object(known.astype(str), index=False).to_numpy()
    order = np.argsort(hashed, kind="stable")
    shuffled = np.random.default_rng(seed).permutation(len(order))[:MAX_ROWS]
    return known.iloc[order[np.sort(shuffled)]]


def _features(frame: pd.DataFrame, kinds: Mapping[str, Kind]) -> _Features:
    """Columns as the classifier takes them; encoding looks at both sides alike."""
    parts: list[tuple[str, Floats, bool]] = []
    for name, kind in kinds.items():
        if kind == "numeric":
            numbers = raw.numeric(frame[name])[0]
            parts.append((name, _ranked(numbers), False))
            continue
        texts = pd.Series(raw.texts(frame[name]), dtype=object)
        if kind == "text":
            lengths = texts.str.len().to_numpy(np.float64, na_value=np.nan)
            words = texts.str.split().str.len().to_numpy(np.float64, na_value=np.nan)
            parts += [(name, _ranked(lengths), False), (name, _ranked(words), False)]
            continue
        ranked = texts.value_counts().sort_index().sort_values(ascending=False, kind="stable")
        codes = pd.Index(ranked.index[:CATEGORIES]).get_indexer(pd.Index(texts)).astype(float)
        codes[codes < 0] = CATEGORIES
        codes[texts.isna().to_numpy()] = np.nan
        parts.append((name, codes, True))
    return _Features(
        np.column_stack([values for _, values, _ in parts]),
        tuple(name for name, _, _ in parts),
        np.array([categorical for _, _, categorical in parts]),
    )


def _ranked(numbers: npt.NDArray[Any]) -> Floats:
    """Numbers as ranks among `BINS` quantiles of both sides, which trees split as well and faster.

    What is not finite becomes NaN.
    """
    finite = np.isfinite(numbers)
    if not finite.any():
        return np.full(len(numbers), np.nan)
    edges = np.unique(np.quantile(numbers[finite], np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.where(finite, np.searchsorted(edges, numbers, side="right"), np.nan)


def _classifier(features: _Features, is_current: Ints, train: Any, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        **BOOSTING, categorical_features=features.categorical, random_state=seed
    )
    return model.fit(features.x[train], is_current[train])


def _told(features: _Features, is_current: Ints, folds: Ints, seed: int) -> Iterator[_Fold]:
    rng = np.random.default_rng(seed)
    for fold in range(FOLDS):
        model = _classifier(features, is_current, folds != fold, seed)
        asked = folds == fold
        yield _asked(model, features, asked, is_current[asked], rng)


def _evidence(features: _Features, is_current: Ints, folds: Ints, seed: int) -> float:
    """Ln of an e-value against exchangeability.

    Each fold is bet on with what the folds before it taught, so the folds multiply. Its rows are
    paired at random, one of each side. If rows are exchangeable, either one of a pair is the
    current one with chance 1/2 whatever the model says, so a bet by the sigmoid of the difference
    of their scores pays 2 sigmoid(d), one on average; the mean over stakes is an e-value again.
    """
    rng = np.random.default_rng(seed)
    won = np.zeros(len(STAKES))
    for fold in range(1, FOLDS):
        model = _classifier(features, is_current, folds < fold, seed)
        asked = folds == fold
        score = model.decision_function(features.x[asked])
        current, reference = score[is_current[asked] == 1], score[is_current[asked] == 0]
        n = min(len(current), len(reference))
        gap = rng.permutation(current)[:n] - rng.permutation(reference)[:n]
        won += [float(-np.logaddexp(0, -stake * gap).sum()) + n * math.log(2) for stake in STAKES]
    return float(won.max() + math.log(np.exp(won - won.max()).mean()))


def _asked(
    model: Any, features: _Features, asked: Any, is_current: Ints, rng: np.random.Generator
) -> _Fold:
    x = features.x[asked]
    score = model.decision_function(x)
    auc, variance = _delong(score[is_current == 1], score[is_current == 0])
    shuffled = np.repeat(x[None], len(features.names), axis=0)
    names = np.array(features.names)
    for position, name in enumerate(names):
        of_column = names == name
        mixed = rng.permutation(len(x))
        shuffled[position][:, of_column] = x[mixed][:, of_column]
    scores = model.decision_function(shuffled.reshape(-1, x.shape[1])).reshape(len(names), -1)
    drops = [auc - _delong(each[is_current == 1], each[is_current == 0])[0] for each in scores]
    return _Fold(auc, variance, np.array(drops))


def _delong(positive: Floats, negative: Floats) -> tuple[float, float]:
    """AUC and its variance (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44)."""
    above = positive_ranks(positive, negative)
    below = positive_ranks(negative, positive)
    variance = above.var(ddof=1) / len(positive) + below.var(ddof=1) / len(negative)
    return float(above.mean()), float(variance)


def _telling(told: Sequence[_Fold], names: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Columns whose drop in AUC is clear over the folds, largest first."""
    drops = np.array([fold.drops for fold in told])
    mean, deviation = drops.mean(axis=0), drops.std(axis=0, ddof=1) / math.sqrt(len(drops))
    clear = {
        name: float(drop)
        for name, drop, se in zip(names, mean, deviation, strict=True)
        if drop > max(2 * se, 0.0)
    }
    return tuple(sorted(clear.items(), key=lambda item: -item[1])[:SHOWN])


def _unknown(margin: float, rows: int, rows_ref: int, drift: Drift) -> DomainVerdict:
    few = min(rows, rows_ref)
    needed = max(drift.min_rows, 2 * FOLDS)
    side = "rows" if rows <= rows_ref else "reference rows"
    reason = f"{few:,} {side}, {needed - few:,} more needed" if few < needed else "no columns"
    nan = math.nan
    return DomainVerdict("insufficient", nan, nan, nan, margin, 0.0, rows, rows_ref, reason=reason)


def _words(
    status: DomainStatus,
    auc: float,
    low: float,
    high: float,
    margin: float,
    columns: Sequence[tuple[str, float]],
) -> str:
    found = f"AUC {auc:.2f}, {low:.2f} to {high:.2f}"
    if status == "stable":
        return f"a classifier tells these rows from the reference no better than chance ({found})"
    by = f", most by {', '.join(short(name) for name, _ in columns)}" if columns else ""
    told = f"a classifier tells these rows from the reference{by} ({found})"
    return told if status == "drift" else f"immaterial up to AUC {margin:.2f}: {told}"
