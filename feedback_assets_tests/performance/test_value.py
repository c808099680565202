"""What answers are worth, by the matrix of the file."""

import math

import numpy as np
import pandas as pd
import pytest

from feedback_assets.config.schema import Kpi, Label
from feedback_assets.performance.value import has_value, row_values, value_matrix

BINARY = Kpi(name="k", values={"1": {"0": -5.0, "1": 2.0}, "0": {"1": -1.0}})


def test_a_matrix_says_what_each_answer_is_worth() -> None:
    y = pd.Series([1, 1, 0, 0, pd.NA], dtype="Int64")
    said = pd.Series([0, 1, 1, 0, 1], dtype="Int64")
    got = row_values(BINARY, Label(kind="binary"), y, said)
    assert got is not None
    assert got[:4].tolist() == [-5, 2, -1, 0]
    assert math.isnan(got[4])


def test_the_positive_class_may_have_a_name() -> None:
    kpi = Kpi(name="k", values={"spam": {"ham": -5.0}, "ham": {"spam": -1.0}})
    matrix = value_matrix(kpi, Label(kind="binary", positive="spam"))
    assert matrix is not None
    assert matrix.tolist() == [[0, -1], [-5, 0]]


def test_classes_come_by_name() -> None:
    kpi = Kpi(name="k", values={"cat": {"dog": -3.0}, "dog": {"dog": 1.0, "cow": 7.0}})
    label = Label(kind="multiclass", classes=["cat", "dog"])
    got = row_values(kpi, label, np.array(["cat", "dog", "dog"], dtype=object), ["dog", "dog", "?"])
    assert got is not None
    assert got[:2].tolist() == [-3, 1]
    assert math.isnan(got[2])


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_without_a_matrix_nobody_says(kind: str) -> None:
    label = Label(kind=kind)  # type: ignore[arg-type]
    expression = Kpi(name="k", expression="-abs(label - score)")
    assert row_values(expression, label, [1.0], [1.0]) is None
    assert has_value(expression)
    assert not has_value(Kpi(name="k"))
