"""What a model relies on: feature groups taken away, or shuffled among the rows.

Permutation importance (Breiman 2001; Fisher et al. 2019) is how much the loss grows when a group's
values are dealt to other rows: what the model uses. Ablation is how much it grows without the group:
what the group is worth, which may be little even where importance is large, because other features
stand in for it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.errors import TrainingError
from feedback_assets.evaluation.scenarios import Kinds
from feedback_assets.evaluation.side import Side, Sides, by_side, loss_on, with_columns
from feedback_assets.performance.metrics import Floats
from feedback_assets.training.onnx_model import OnnxModel

Groups = Mapping[str, Sequence[str]]
Retrain = Callable[[Sequence[str]], OnnxModel]
"""Trains the candidate again on the features that it gets."""
EVERYTHING = "all features"


def feature_groups(config: Config, kinds: Kinds) -> dict[str, list[str]]:
    """The declared groups of features that some model reads, then each feature in none, alone."""
    declared = {
        name: [c for c in columns if c in kinds]
        for name, columns in config.evaluation.groups.items()
    }
    grouped = {c for columns in declared.values() for c in columns}
    return {n: c for n, c in declared.items() if c} | {c: [c] for c in kinds if c not in grouped}


def importance(
    config: Config,
    rows: pd.DataFrame,
    y: Floats,
    sides: Sides,
    good: Mapping[str, float],
    groups: Groups,
) -> list[dict[str, Any]]:
    """How much the loss grows when a group is shuffled, the candidate's most important first.

    Both models see the same shuffles, and all features of a group move together.

    Args:
        config: the loop's; `evaluation.repeats` shuffles.
        rows: the examined rows, in a fixed order.
        y: their labels [n].
        sides: the models.
        good: model -> its mean loss on the rows as they are.
        groups: group -> its features.

    Returns:
        Per group its features, and champion, champion_sd, candidate, candidate_sd: mean and
        standard deviation over the shuffles; 0 for a model that reads none of them. The sum of
        single groups need not be that of all at once.
    """
    found = []
    for group, features in groups.items():
        rng = np.random.default_rng(config.model.seed)
        shuffles = [rng.permutation(len(rows)) for _ in range(config.evaluation.repeats)]
        grown = by_side(
            sides, lambda side, f=features, s=shuffles: _shuffled(config, rows, y, side, f, s)
        )
        entry: dict[str, Any] = {"group": group, "features": list(features)}
        for name, losses in grown.items():
            more = None if losses is None else losses - good[name]
            entry[name] = None if more is None else float(more.mean())
            entry[f"{name}_sd"] = None if more is None else float(more.std())
        found.append(entry)
    return sorted(found, key=_worth)


def _worth(entry: Mapping[str, Any]) -> float:
    """Sorts what the candidate needs most to the front, what is not known to the end."""
    return -float(np.nan_to_num(entry["candidate"], nan=-np.inf))


def _shuffled(
    config: Config,
    rows: pd.DataFrame,
    y: Floats,
    side: Side,
    features: Sequence[str],
    shuffles: Sequence[Any],
) -> Floats:
    """Mean loss of a model after each shuffle [repeats]."""
    read = [f for f in features if f in side.model.spec.names]
    if not read:
        return np.full(len(shuffles), loss_on(config, side.model, rows, y))
    dealt = [with_columns(rows, {f: rows[f].to_numpy()[order] for f in read}) for order in shuffles]
    return np.array([loss_on(config, side.model, frame, y) for frame in dealt])


def ablation(
    config: Config,
    rows: pd.DataFrame,
    y: Floats,
    sides: Sides,
    good: Mapping[str, float],
    groups: Groups,
    retrain: Retrain | None,
) -> list[dict[str, Any]]:
    """How much the loss grows without a group: trained again without it, else at typical values.

    Args:
        config: the loop's; only the groups that it declares are trained without.
        rows: the examined rows.
        y: their labels [n].
        sides: the models.
        good: model -> its mean loss on the rows as they are.
        groups: group -> its features.
        retrain: trains the candidate on fewer features; None to never do so. The champion can not
            be trained again: its groups are always set to typical values.

    Returns:
        Per group its features, champion, candidate (loss increase; NaN if it can not be trained
        without), and how the candidate's was found: "retrained" or "typical values".
    """
    found = []
    for group, features in groups.items():
        typical = with_columns(rows, {f: typical_values(rows[f]) for f in features})
        grown = {n: loss_on(config, s.model, typical, y) - good[n] for n, s in sides.items()}
        again = retrain if group in config.evaluation.groups else None
        kept = [f for f in sides["candidate"].model.spec.names if f not in features]
        if again and kept:
            grown["candidate"] = _without(config, rows, y, kept, again) - good["candidate"]
        found.append(
            {
                "group": group,
                "features": list(features),
                "champion": grown.get("champion"),
                "candidate": grown["candidate"],
                "how": "retrained" if again and kept else "typical values",
            }
        )
    return sorted(found, key=_worth)


def _without(
    config: Config, rows: pd.DataFrame, y: Floats, kept: Sequence[str], retrain: Retrain
) -> float:
    """Loss of the candidate trained on the kept features; NaN if that fails."""
    try:
        return loss_on(config, retrain(kept), rows, y)
    except TrainingError:
        return float("nan")


def typical_values(column: pd.Series) -> np.ndarray:
    """The median of a numeric column, the commonest value of another, on every row [n]."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        known = column.to_numpy(np.float64, na_value=np.nan)
        known = known[np.isfinite(known)]
        return np.full(len(column), np.median(known) if known.size else np.nan)
    common = column.dropna().mode()
    return np.full(len(column), common.iloc[0] if len(common) else None, dtype=object)
