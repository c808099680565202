"""The made-up comments: a new kind of spam on its day, near duplicates, the same for the same seed."""

from pathlib import Path

import pandas as pd
import pytest

from feedback_assets.simulation.comments import NEW_KIND_DAY, comments_history


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return pd.read_parquet(
        comments_history(tmp_path_factory.mktemp("comments") / "history.parquet", days=50)
    )


def test_a_new_kind_of_spam_begins_on_its_day(history: pd.DataFrame) -> None:
    day = (history["event_time"] - history["event_time"].min()).dt.days
    coins = history["comment"].str.contains("coins")
    assert not coins[day < NEW_KIND_DAY].any()
    spam = history["label"] == 1
    share = coins[(day >= NEW_KIND_DAY) & spam].mean()
    assert 0.2 < share < 0.5


def test_most_comments_are_no_spam_whatever_the_language(history: pd.DataFrame) -> None:
    assert 0.1 < history["label"].mean() < 0.16
    assert history.loc[history["language"] != "en", "label"].mean() < 0.05


def test_a_day_depends_on_its_seed_alone(tmp_path: Path, history: pd.DataFrame) -> None:
    shorter = pd.read_parquet(comments_history(tmp_path / "short.parquet", days=3))
    pd.testing.assert_frame_equal(shorter, history.head(len(shorter)))
    other = pd.read_parquet(comments_history(tmp_path / "other.parquet", days=3, seed=1))
    assert not other["comment"].equals(shorter["comment"])
