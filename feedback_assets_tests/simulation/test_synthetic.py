import hashlib

import pandas as pd
import pytest

from feedback_assets.simulation import synthetic
from feedback_assets.simulation.synthetic import energy_history


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    frame = pd.read_parquet(energy_history(tmp_path_factory.mktemp("energy") / "h.parquet"))
    frame["day"] = (frame["event_time"] - pd.Timestamp(synthetic.START, tz="UTC")).dt.days
    return frame


def test_it_is_the_same_every_time_and_other_by_seed(tmp_path):
    def digest(name, **options):
        path = energy_history(tmp_path / name, days=5, rows_per_day=20, **options)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    assert digest("a") == digest("b")
    assert digest("a") != digest("c", seed=1)


def test_a_longer_history_begins_like_a_shorter(tmp_path):
    short = pd.read_parquet(energy_history(tmp_path / "s", days=3, rows_per_day=10))
    longer = pd.read_parquet(energy_history(tmp_path / "l", days=5, rows_per_day=10))
    pd.testing.assert_frame_equal(short, longer.iloc[: len(short)])


def test_ids_are_unique_and_days_full(history):
    assert history["prediction_id"].is_unique
    assert set(history.groupby("day").size()) == {200}
    assert history["day"].max() == 119


def test_labels_come_zero_to_three_days_late_or_never(history):
    delay = (history["label_time"] - history["event_time"]).dt.total_seconds() / 86_400
    assert delay.min() >= 0
    assert 2.9 < delay.max() <= 3
    assert (history["label"].isna() == history["label_time"].isna()).all()
    assert 0.01 < history["label"].isna().mean() < 0.03


def test_the_mean_shifts_on_its_day(history):
    by_day = history.groupby("day")["temperature"].mean()
    shift = (
        by_day[synthetic.MEAN_SHIFT_DAY :].mean() - by_day[: synthetic.MEAN_SHIFT_DAY - 1].mean()
    )
    assert shift == pytest.approx(synthetic.MEAN_SHIFT_DEGREES, abs=0.2)
    first = by_day[synthetic.MEAN_SHIFT_DAY] - by_day[synthetic.MEAN_SHIFT_DAY - 1]
    assert first > synthetic.MEAN_SHIFT_DEGREES / 2


def test_nulls_rise_on_their_day(history):
    by_day = history["humidity"].isna().groupby(history["day"]).mean()
    assert by_day[: synthetic.NULLS_DAY - 1].max() < 0.06
    assert by_day[synthetic.NULLS_DAY :].min() > 0.2


def test_the_new_category_comes_on_its_day(history):
    days = history.loc[history["building"] == synthetic.NEW_CATEGORY, "day"]
    assert days.min() == synthetic.NEW_CATEGORY_DAY
    assert days.nunique() == 120 - synthetic.NEW_CATEGORY_DAY


def test_the_same_features_mean_more_from_the_concept_day_on(history):
    alike = history[(history["building"] == "office") & history["temperature"].between(16, 20)]
    per_m2 = (
        (alike["label"] / alike["area"] / (0.3 + alike["occupancy"])).groupby(alike["day"]).mean()
    )
    before = per_m2[synthetic.MEAN_SHIFT_DAY : synthetic.CONCEPT_DAY - 1].mean()
    after = per_m2[synthetic.CONCEPT_DAY :].mean()
    assert after / before == pytest.approx(synthetic.CONCEPT_FACTOR, abs=0.05)
