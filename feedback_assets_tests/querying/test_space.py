"""Points of rows: finite whatever the values, alike for alike rows, the same after a round trip."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.errors import TrainingError
from feedback_assets.querying.novelty import THRESHOLD, Novelty
from feedback_assets.querying.space import FeatureSpace
from feedback_assets_tests.promotion.loops import loop_config

CONFIG = loop_config(columns={"numeric": ["x", "y"], "categorical": ["c"]})
TEXTS = loop_config(columns={"numeric": [], "categorical": [], "text": ["t"], "segments": []})


def rows(n=800, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "prediction_id": [f"p{i}" for i in range(n)],
            "x": rng.normal(50, 10, n),
            "y": rng.exponential(1, n),
            "c": rng.choice(["red", "green", "blue"], n, p=[0.5, 0.3, 0.2]),
        }
    )


def changed(frame, **values):
    return frame.head(40).assign(**values)


def test_numbers_are_measured_in_robust_standard_deviations():
    frame = rows(5_000)
    frame.loc[:20, "x"] = 1e30  # a few wild values move neither centre nor scale
    points = FeatureSpace.fit(CONFIG, frame).transform(frame)
    assert np.median(points[:, 0]) == pytest.approx(0, abs=0.01)
    assert points[21:, 0].std() == pytest.approx(1, rel=0.05)
    assert np.isfinite(points).all()
    assert 60 < points[0, 0] < 80  # far, on a logarithmic scale


def test_two_categories_lie_as_far_apart_as_two_usual_numbers():
    frame = rows(2_000)
    points = FeatureSpace.fit(CONFIG, frame).transform(frame)
    red, blue = (points[(frame["c"] == c).to_numpy()][0, 4:] for c in ("red", "blue"))
    assert ((red - blue) ** 2).sum() == pytest.approx(2)
    assert 2 * points[:, 0].var() == pytest.approx(2, rel=0.1)


VALUES = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.integers())


@given(
    st.lists(st.tuples(VALUES, st.one_of(st.none(), st.text(max_size=5))), min_size=1, max_size=20)
)
@settings(max_examples=100, deadline=None)
def test_any_values_become_finite_points(cells):
    numbers = [None if n is None else float(n) for n, _ in cells]
    frame = pd.DataFrame({"x": numbers, "y": numbers[::-1], "c": [c for _, c in cells]})
    frame = frame.astype({"x": "float64", "y": "float64", "c": "object"})
    for learned in (FeatureSpace.fit(CONFIG, frame), FeatureSpace.fit(CONFIG, rows(50))):
        points = learned.transform(frame)
        assert points.shape == (len(cells), learned.width)
        assert points.dtype == np.float32
        assert np.isfinite(points).all()


def test_columns_without_any_value_or_with_one_are_borne():
    frame = rows(300).assign(x=np.nan, y=3.0, c=None)
    space = FeatureSpace.fit(CONFIG, frame)
    assert np.unique(space.transform(frame), axis=0).shape[0] == 1
    assert FeatureSpace.fit(CONFIG, frame.head(0)).transform(frame).shape[0] == 300
    assert space.transform(frame.head(0)).shape == (0, space.width)


def test_values_never_seen_lie_apart():
    frame = rows()
    space = FeatureSpace.fit(CONFIG, frame)
    usual = space.transform(frame)[:, -1]
    assert (usual == 0).all()
    for new in (changed(frame, c="violet"), changed(frame, x=np.nan), changed(frame, c=None)):
        assert (space.transform(new)[:, -1] > 0).all()


def test_nulls_that_training_had_are_nothing_new():
    frame = rows()
    frame.loc[::5, "x"] = np.nan
    space = FeatureSpace.fit(CONFIG, frame)
    assert (space.transform(changed(frame, x=np.nan))[:, -1] == 0).all()


def test_a_missing_column_is_named():
    with pytest.raises(TrainingError, match="y"):
        FeatureSpace.fit(CONFIG, rows()).transform(rows().drop(columns="y"))


def test_texts_of_the_same_words_are_near_and_of_others_far():
    texts = ["buy cheap pills now", "Buy CHEAP pills, now!", "what a lovely song", "", None]
    frame = pd.DataFrame({"t": texts})
    space = FeatureSpace.fit(TEXTS, frame)
    points = space.transform(frame)
    far = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    assert far[0, 1] < 1 < far[0, 2]
    assert far[3, 4] == 0
    assert far[0, 3] == pytest.approx(2)
    assert np.allclose(FeatureSpace.from_bytes(space.to_bytes()).transform(frame), points)


@pytest.mark.parametrize("learn", [FeatureSpace.fit, Novelty.fit])
def test_a_round_trip_through_a_file_changes_nothing(learn):
    frame = rows()
    learned = learn(CONFIG, frame)
    content = learned.to_bytes()
    again = type(learned).from_bytes(content)
    assert again.to_bytes() == content == learn(CONFIG, frame).to_bytes()
    ask = "score" if isinstance(learned, Novelty) else "transform"
    assert np.array_equal(getattr(again, ask)(frame), getattr(learned, ask)(frame))


def test_a_file_with_code_in_it_is_refused():
    import io

    buffer = io.BytesIO()
    np.savez(buffer, facts=np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        FeatureSpace.from_bytes(buffer.getvalue())


def test_novelty_is_the_share_of_training_rows_that_lie_nearer():
    novelty = Novelty.fit(CONFIG, rows(6_000))
    fresh = novelty.score(rows(6_000, seed=1))
    assert np.abs(np.quantile(fresh, [0.1, 0.5, 0.9]) - [0.1, 0.5, 0.9]).max() < 0.03
    assert (fresh >= THRESHOLD).mean() < 0.006
    assert ((fresh >= 0) & (fresh <= 1)).all()


@pytest.mark.parametrize("what", [{"x": 500.0}, {"c": "violet"}, {"y": np.nan}, {"y": -40.0}])
def test_rows_unlike_any_training_row_are_outside(what):
    frame = rows(3_000)
    novelty = Novelty.fit(CONFIG, frame)
    assert (novelty.score(changed(frame, **what)) >= novelty.threshold).all()


def test_a_rare_combination_is_stranger_than_its_parts():
    rng = np.random.default_rng(0)
    x = rng.normal(size=4_000)
    frame = rows(4_000).assign(x=x, y=x + 0.05 * rng.normal(size=4_000))
    novelty = Novelty.fit(CONFIG, frame)
    assert np.median(novelty.score(changed(frame, x=1.0, y=1.0))) < 0.9
    assert novelty.score(changed(frame, x=1.5, y=-1.5)).min() >= novelty.threshold


def test_the_order_of_training_rows_changes_nothing():
    frame = rows(500)
    mixed = frame.sample(frac=1, random_state=3)
    assert Novelty.fit(CONFIG, mixed).to_bytes() == Novelty.fit(CONFIG, frame).to_bytes()


@pytest.mark.parametrize("n", [0, 1, 5, 15, 16, 40])
def test_few_training_rows_make_no_alarm(n):
    novelty = Novelty.fit(CONFIG, rows(n))
    found = novelty.score(rows(50, seed=2))
    assert found.shape == (50,)
    assert np.isfinite(found).all()
    if n < 16:
        assert (found == 0).all()
    again = Novelty.from_bytes(novelty.to_bytes())
    assert np.array_equal(again.score(rows(50, seed=2)), found)
