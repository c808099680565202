"""Labels in doubt, worst first, with what they probably should be, and whose they are."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.labels.confident import doubt, label_errors, noise
from feedback_assets.labels.far_off import FAR, far_off
from feedback_assets.performance.metrics import class_codes

Floats = npt.NDArray[np.float64]
OWN = ("label_source", "label_principal")


def suspects(rows: pd.DataFrame, said: Floats, classes: Sequence[str]) -> pd.DataFrame:
    """The rows whose label is probably wrong, the most doubtful first.

    Args:
        rows: Labelled rows with `label` [n].
        said: Out-of-fold answers: chance of each class [n, k], or the number [n, 1].
        classes: Of the label in their one spelling; empty for numbers.

    Returns:
        The rows' columns and `meant` (the likelier class, or the number to be expected, as text)
        and `doubt` (1 less the label's chance; numbers: 1 less the limit over the error's size).
    """
    if not len(rows):
        return rows.assign(meant=pd.Series(dtype=object), doubt=pd.Series(dtype=float))
    if not classes:
        away = far_off(rows["label"].to_numpy(np.float64), said[:, 0])
        wrong, unsure = away > FAR, 1 - FAR / np.maximum(away, FAR)
        meant = np.array([f"{value:.6g}" for value in said[:, 0]], dtype=object)
    else:
        label = codes_of(rows["label"], classes)
        found = noise(label, said)
        wrong, unsure = label_errors(label, said, found=found), doubt(label, said)
        meant = np.array(classes, dtype=object)[said.argmax(axis=1)]
    made = rows.assign(meant=meant, doubt=unsure)[wrong]
    return made.sort_values("doubt", ascending=False, kind="stable").reset_index(drop=True)


def wrong_share(rows: pd.DataFrame, said: Floats, classes: Sequence[str]) -> float:
    """Estimated share of wrong labels by the confident joint; NaN for numbers or without rows."""
    if not classes or not len(rows):
        return float("nan")
    return noise(codes_of(rows["label"], classes), said).wrong_share


def by_owner(rows: pd.DataFrame, doubtful: pd.DataFrame) -> pd.DataFrame:
    """Rows, doubtful ones and their share by who said the label: `owner`, most doubtful share first.

    A row's owner is its principal where one is known, else its source.
    """
    owner = owners(rows)
    counted = owner.value_counts()
    doubted = owners(doubtful).value_counts().reindex(counted.index, fill_value=0)
    made = pd.DataFrame(
        {"owner": counted.index, "rows": counted.values, "doubtful": doubted.values}
    )
    made["share"] = made["doubtful"] / made["rows"]
    return made.sort_values(["share", "rows"], ascending=False, kind="stable", ignore_index=True)


def owners(rows: pd.DataFrame) -> pd.Series:
    """Who said each row's label, as text; `unnamed` where nobody is."""
    found = pd.Series(None, index=rows.index, dtype=object)
    for name in reversed(OWN):
        if name in rows:
            found = found.where(found.notna(), rows[name].astype(object))
    return found.where(found.notna(), "unnamed").astype(str)


def codes_of(labels: pd.Series, classes: Sequence[str]) -> npt.NDArray[np.int64]:
    """Position of each label among the classes; labels may be 0/1 numbers or texts."""
    if list(classes) == ["0", "1"]:
        return np.asarray(labels.astype(float), dtype=np.int64)
    return class_codes(labels.to_numpy(dtype=object), classes).astype(np.int64)
