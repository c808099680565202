"""Which answers change when the candidate takes over, and which of them for the worse."""

import numpy as np

from feedback_assets.config.schema import Config
from feedback_assets.evaluation.side import Side, Sides
from feedback_assets.performance.metrics import Floats


def churn(config: Config, y: Floats, sides: Sides) -> dict[str, float] | None:
    """Shares of the rows whose answer changes; None without a champion.

    A negative flip is a row that the champion gets right and the candidate wrong (Yan et al. 2021,
    positive-congruent training). A number is never exactly right: for regression an answer is right
    when its error is within the champion's mean absolute error on these rows, and has changed when
    it moved by more than that.

    Args:
        config: the loop's.
        y: labels [n].
        sides: the models on these rows.

    Returns:
        `changed_share`, `negative_flips`, `positive_flips`, and `mean_score_change`: the mean
        absolute difference of the scores (of several classes, half the sum over the classes).
    """
    if "champion" not in sides:
        return None
    champion, candidate = sides["champion"], sides["candidate"]
    if not y.size or champion.unscored or candidate.unscored:
        return dict.fromkeys(
            ("changed_share", "negative_flips", "positive_flips", "mean_score_change"), float("nan")
        )
    moved = np.abs(candidate.values - champion.values)
    if config.label.kind == "regression":
        within = float(np.abs(y - champion.values).mean())
        right = [np.abs(y - side.values) <= within for side in (champion, candidate)]
        changed = moved > within
    else:
        right = [_right(config, y, side) for side in (champion, candidate)]
        changed = champion.answers.prediction != candidate.answers.prediction
    return {
        "changed_share": float(changed.mean()),
        "negative_flips": float((right[0] & ~right[1]).mean()),
        "positive_flips": float((~right[0] & right[1]).mean()),
        "mean_score_change": float(
            moved.mean() if moved.ndim == 1 else moved.sum(axis=1).mean() / 2
        ),
    }


def _right(config: Config, y: Floats, side: Side) -> np.ndarray:
    """Rows whose answer is the truth [n]."""
    if config.label.kind == "binary":
        return np.asarray(side.answers.prediction == y)
    names = np.asarray(config.label.classes, dtype=object)
    return np.asarray(side.answers.prediction == names[y.astype(np.int64)])
