"""The words of a slice lead back to its rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_assets.causes.cells import cut
from feedback_assets.causes.matching import rows_in

FRAME = pd.DataFrame(
    {
        "temp": [1.0, 2.5, 7.0, np.nan, 40.0],
        "origin": ["EWR", "JFK", None, "EWR", "LGA and more"],
        "hour and a half": [1.0, 2.0, 3.0, 4.0, 5.0],
    }
)


@pytest.mark.parametrize(
    ("subject", "rows"),
    [
        ("origin = EWR", [0, 3]),
        ("origin missing", [2]),
        ("temp missing", [3]),
        ("temp up to 2.5", [0, 1]),
        ("temp over 2.5", [2, 4]),
        ("temp over 1 up to 7", [1, 2]),
        ("temp = 40", [4]),
        ("origin = EWR and temp up to 2.5", [0]),
        ("origin = LGA and more", [4]),
        ("hour and a half over 3 and origin = EWR", [3]),
    ],
)
def test_each_form_of_words(subject: str, rows: list[int]) -> None:
    mask = rows_in(subject, FRAME, list(FRAME))
    assert mask is not None
    assert np.flatnonzero(mask).tolist() == rows


@pytest.mark.parametrize(
    "subject",
    [
        "origin none of its 12 most frequent values",
        "nothing = 1",
        "temp about 3",
        "temp = warm",
        "",
    ],
)
def test_words_that_cannot_be_told_match_nothing(subject: str) -> None:
    assert rows_in(subject, FRAME, list(FRAME)) is None


@given(st.integers(0, 10_000), st.integers(2, 60))
def test_every_cell_of_the_search_is_found_again(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 900, n).astype(np.float64))
    word = rng.choice(["a", "b", None], n).astype(object)
    frame = pd.DataFrame({"x": x, "word": word})
    for cells in cut({"x": x, "word": word}):
        for code, label in enumerate(cells.labels):
            mask = rows_in(f"{cells.name} {label}", frame, list(frame))
            assert mask is not None
            assert mask.tolist() == (cells.codes == code).tolist()
