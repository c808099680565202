import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.errors import TrainingError
from feedback_assets.training.features import FeatureSpec
from feedback_assets_tests.training.examples import config, rows

SPEC = FeatureSpec.of(config(text=True))


def test_spec_survives_json():
    spec = FeatureSpec.of(config("multiclass", text=True))
    assert FeatureSpec.from_json(spec.to_json()) == spec
    assert spec.names == ["x", "z", "empty", "c", "d", "t"]


def test_null_and_infinite_numbers_become_nan():
    frame = rows(4)[0].assign(x=[1.5, None, np.inf, 1e39])
    x = SPEC.prepare(frame)["x"]
    assert x.dtype == np.float32
    assert x.tolist()[0] == 1.5
    assert x.isna().tolist() == [False, True, True, True]


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "float32", "int8"])
def test_numbers_of_every_type(dtype):
    frame = rows(2)[0].assign(x=pd.array([1, 0], dtype=dtype))
    assert SPEC.prepare(frame)["x"].tolist() == [1.0, 0.0]


def test_a_null_string_is_empty_whatever_null_it_is():
    frame = rows(4)[0].assign(c=pd.Series(["a", None, np.nan, pd.NA], dtype=object))
    assert SPEC.prepare(frame)["c"].tolist() == ["a", "", "", ""]


def test_text_is_cut_into_tokens():
    frame = rows(1)[0].assign(t="Hello,  WORLD!\x00\n日本 😀")
    assert SPEC.prepare(frame)["t"].tolist() == ["hello , world ! 日本 😀"]


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_prepared_text_is_stable_and_encodes(text):
    frame = rows(1)[0]
    once = SPEC.prepare(frame.assign(t=[text]))["t"][0]
    assert SPEC.prepare(frame.assign(t=[once]))["t"][0] == once
    assert "  " not in once
    once.encode("utf-8")


def test_a_missing_column_is_named():
    with pytest.raises(TrainingError, match=r"do not have: z, d$"):
        SPEC.prepare(rows(3)[0].drop(columns=["z", "d"]))


def test_text_in_a_number_is_named():
    with pytest.raises(TrainingError, match="numeric feature x holds something else"):
        SPEC.prepare(rows(2)[0].assign(x=["1", "many"]))
