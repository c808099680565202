"""What answers were worth to the business, once the truth is known."""

import numpy as np
import numpy.typing as npt

from feedback_assets.config.schema import Kpi, Label
from feedback_assets.performance.metrics import Floats, class_codes, floats

_YES = frozenset({"1", "true"})


def has_value(kpi: Kpi) -> bool:
    """Whether the configuration says what an answer is worth."""
    return bool(kpi.values or kpi.expression)


def value_matrix(kpi: Kpi, label: Label) -> Floats | None:
    """Worth [K, K] of each answer (column) to each truth (row); None without `kpi.values`.

    Binary: 0, then 1; the names of the positive class are 1, true and `label.positive`, every other
    name is the negative one. Multiclass: the order of `label.classes`. A pair that is not listed is
    worth nothing, neither good nor bad: 0.

    >>> kpi = Kpi(name="k", values={"1": {"0": -5.0, "1": 2.0}})
    >>> value_matrix(kpi, Label(kind="binary")).tolist()
    [[0.0, 0.0], [-5.0, 2.0]]
    """
    if not kpi.values or label.kind == "regression":
        return None
    size = len(label.classes) if label.kind == "multiclass" else 2
    matrix = np.zeros((size, size))
    for truth, answers in kpi.values.items():
        for answer, worth in answers.items():
            row, column = _position(truth, label), _position(answer, label)
            if row is not None and column is not None:
                matrix[row, column] = worth
    return matrix


def row_values(
    kpi: Kpi, label: Label, y: npt.ArrayLike, prediction: npt.ArrayLike
) -> Floats | None:
    """Worth of each answer [n] by the matrix, in `kpi.unit`; None without one.

    Args:
        kpi: the matrix.
        label: what the truth is.
        y: truth [n] as in the feedback table: 0/1, or class names; null where not known.
        prediction: answers [n], likewise. NaN where either is not known.
    """
    matrix = value_matrix(kpi, label)
    if matrix is None:
        return None
    truths, answers = (_codes(values, label) for values in (y, prediction))
    known = (truths >= 0) & (answers >= 0)
    worth = np.full(truths.size, np.nan)
    worth[known] = matrix[truths[known], answers[known]]
    return worth


def _codes(values: npt.ArrayLike, label: Label) -> npt.NDArray[np.int64]:
    if label.kind == "multiclass":
        return class_codes(values, label.classes)
    numbers = floats(values)
    return np.where(np.isfinite(numbers), numbers == 1, -1).astype(np.int64)


def _position(name: str, label: Label) -> int | None:
    if label.kind == "multiclass":
        return label.classes.index(name) if name in label.classes else None
    return int(name.lower() in _YES or name == label.positive)
