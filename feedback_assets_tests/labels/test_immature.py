"""Labels of young days: weighted without bias, never read as negatives, or left out with a reason.

The story is that of the bookings: cancellations are known weeks before stays.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from feedback_assets.labels.arrival import Maturity, maturity
from feedback_assets.labels.curves import group_curves
from feedback_assets.labels.immature import Weighing, weighing
from feedback_assets.labels.outcome_delay import OutcomeDelay, outcome_delay
from feedback_assets_tests.labels.delays import after, arrived, asked, feedback, loop

DAYS, PER_DAY, NOW = 120, 120, 120.0
CANCELLED = 0.37


@dataclass(frozen=True)
class Bookings:
    """Bookings as known on a day, and what is true of them."""

    frame: pd.DataFrame
    truth: pd.Series
    standing: Maturity
    found: Weighing
    delay: OutcomeDelay

    def asked(self, select: str, where: str = "TRUE") -> pd.DataFrame:
        """A query over the labelled rows."""
        sql = f"SELECT {select} FROM t AS f WHERE label_status = 'accepted' AND ({where})"
        return asked(self.frame, sql)


def bookings(seed: int = 1, days: int = DAYS, **pool: Any) -> Bookings:
    """Cancellations (label 1) take up to 8 days, stays 12 to 40; both depend on `x`."""
    rng = np.random.default_rng(seed)
    n = days * PER_DAY
    x = rng.normal(size=n)
    chance = 1 / (1 + np.exp(-(1.5 * x - 0.7)))
    label = (rng.random(n) < chance).astype(int)
    delay = np.where(label == 1, 8 * rng.random(n), 12 + 28 * rng.random(n))
    config = loop(40, pool={"immature": "weight", "max_weight": 10, **pool})
    frame = feedback(days, PER_DAY, delay, label, NOW, x=x)
    counts = arrived(frame, config, NOW)
    standing = maturity(counts, config, after(NOW))
    curves = group_curves(counts, config, after(NOW))
    delayed = outcome_delay(counts, config, after(NOW), curves)
    truth = pd.Series(label[: len(frame)])
    return Bookings(frame, truth, standing, weighing(standing, curves, delayed, config), delayed)


@cache
def usual() -> Bookings:
    """The story as it is told by default."""
    return bookings()


def test_what_is_known_of_young_days_is_no_sample_of_what_is_true() -> None:
    story = usual()
    young = story.asked("AVG(label) AS share", "partition_key >= '2024-04-08'")
    assert young["share"][0] > 0.7
    assert story.truth.mean() == pytest.approx(CANCELLED, abs=0.01)
    assert story.delay.differs
    assert "labels 1 come earlier than labels 0" in story.delay.words()


def test_weights_make_young_days_what_they_will_be() -> None:
    story = usual()
    days = story.found.partitions
    assert len(days) > 15
    assert not set(days) & set(story.standing.partitions)
    weighed = story.asked(
        f"SUM({story.found.weight_sql('f')} * label) / SUM({story.found.weight_sql('f')}) AS share,"
        f" SUM({story.found.weight_sql('f')}) AS rows",
        story.found.counts_sql("f"),
    )
    own = story.frame["partition_key"].isin(days).to_numpy()
    assert weighed["share"][0] == pytest.approx(story.truth[own].mean(), abs=0.03)
    assert weighed["rows"][0] == pytest.approx(own.sum(), rel=0.06)
    plain = story.asked("AVG(label) AS share", story.found.counts_sql("f"))
    assert plain["share"][0] > story.truth[own].mean() + 0.1


def test_weights_are_unbiased_over_many_worlds() -> None:
    errors = []
    for seed in range(8):
        story = bookings(seed, 110)
        rows = story.asked(
            f"SUM({story.found.weight_sql()} * label) AS ones, SUM({story.found.weight_sql()}) AS n",
            story.found.counts_sql(),
        )
        own = story.frame["partition_key"].isin(story.found.partitions).to_numpy()
        errors.append(rows["ones"][0] / rows["n"][0] - story.truth[own].mean())
    mean, error = np.mean(errors), np.std(errors) / np.sqrt(len(errors))
    assert abs(mean) < 3 * error + 0.003


def test_a_model_of_known_labels_is_badly_wrong_and_ours_is_not() -> None:
    """Log loss on new bookings, by what the model was trained on."""
    from sklearn.linear_model import LogisticRegression

    story = usual()
    rng = np.random.default_rng(99)
    x = rng.normal(size=20_000)
    chance = 1 / (1 + np.exp(-(1.5 * x - 0.7)))
    y = rng.random(x.size) < chance

    def loss(rows: pd.DataFrame) -> float:
        model = LogisticRegression(C=1e4).fit(rows[["x"]].to_numpy(), rows["label"], rows["w"])
        p = model.predict_proba(x[:, None])[:, 1]
        return float(-np.mean(np.where(y, np.log(p), np.log(1 - p))))

    recent = "partition_key >= '2024-04-08'"
    naive = loss(story.asked("x, label, 1.0 AS w", recent))
    negative = loss(
        asked(story.frame, f"SELECT x, COALESCE(label, 0) AS label, 1.0 AS w FROM t WHERE {recent}")
    )
    mature = "partition_key IN (" + ", ".join(f"'{k}'" for k in story.standing.partitions) + ")"
    ours = loss(story.asked("x, label, 1.0 AS w", mature))
    weight, counts = story.found.weight_sql(), story.found.counts_sql()
    young = loss(story.asked(f"x, label, {weight} AS w", counts))
    best = float(-np.mean(np.where(y, np.log(chance), np.log(1 - chance))))
    assert naive > best + 0.15
    assert ours < best + 0.005
    assert young < best + 0.01
    # Here the class that waits is the negative one: pending rows read as negative look right by luck.
    assert negative < naive


def test_pending_read_as_negative_is_badly_wrong_where_the_positive_waits() -> None:
    """The same world with the slow class as label 1: a pending row is no negative."""
    story = usual()
    young = story.frame["partition_key"] >= "2024-04-08"
    stays = 1 - story.truth
    read = (1 - story.frame["label"]).fillna(0).astype(float)
    assert stays[young].mean() - read[young].mean() > 0.4
    weighed = story.asked(
        f"SUM({story.found.weight_sql()} * (1 - label)) / SUM({story.found.weight_sql()}) AS share",
        story.found.counts_sql(),
    )
    assert weighed["share"][0] == pytest.approx(stays.mean(), abs=0.03)


def test_days_on_which_a_class_cannot_be_seen_yet_are_left_out() -> None:
    story = usual()
    ages = {c.partition_key: c.age_days for c in story.standing.cohorts}
    youngest = min(ages[key] for key in story.found.partitions)
    assert 13 < youngest < 20, "a tenth of the stays are known after about 15 days"
    assert all(min(share.values()) >= 0.1 for share in story.found.shares.values())
    looser = bookings(max_weight=1_000).found
    assert len(looser.partitions) > len(story.found.partitions)


def test_mature_days_weigh_one_and_all_labels_of_a_day_have_one_chance() -> None:
    story = usual()
    first = story.standing.partitions[0]
    weights = story.asked(f"DISTINCT {story.found.weight_sql()} AS w", f"partition_key = '{first}'")
    assert weights["w"].tolist() == [1.0]
    late = story.asked("COUNT(*) AS n", f"NOT {story.found.counts_sql()} AND partition_key IN "
                       f"({', '.join(repr(k) for k in story.found.partitions)})")  # fmt: skip
    assert 0 < late["n"][0] < 200


@pytest.mark.parametrize(
    ("change", "words"),
    [({"immature": "leave"}, ""), ({}, "immature days are trained on")],
)
def test_the_file_decides(change: dict[str, Any], words: str) -> None:
    found = bookings(**change).found
    assert words in found.words
    assert bool(found.partitions) == bool(words)
    if not words:
        assert (found.weight_sql(), found.counts_sql()) == ("1e0", "FALSE")


def test_before_delays_are_known_no_young_day_is_used() -> None:
    config = loop(40, pool={"immature": "weight"})
    frame = feedback(20, 50, np.full(1_000, 1.0), np.arange(1_000) % 2, 20)
    counts = arrived(frame, config, 20)
    standing = maturity(counts, config, after(20))
    curves = group_curves(counts, config, after(20))
    found = weighing(standing, curves, outcome_delay(counts, config, after(20)), config)
    assert found.partitions == []
    assert "no day is old enough" in found.words


def test_a_feed_that_stands_still_is_not_weighed_up() -> None:
    """Half of a young day's labels are missing for another reason than their age."""
    story = usual()
    config = loop(40, pool={"immature": "weight"})
    broken = story.frame.copy()
    last = story.found.partitions[-1]
    lost = (broken["partition_key"] == last) & (np.arange(len(broken)) % 4 > 0)
    broken.loc[lost, "label_status"] = "pending"
    counts = arrived(broken, config, NOW)
    standing = maturity(counts, config, after(NOW))
    found = weighing(standing, group_curves(counts, config, after(NOW)), story.delay, config)
    assert last not in found.partitions
    assert story.found.partitions[-2] in found.partitions


def test_numbers_whose_delay_depends_on_them_are_left_to_wait() -> None:
    story = usual()
    config = loop(40, pool={"immature": "weight"}, label={"kind": "regression"})
    curves = {"": story.standing.curve}
    assert weighing(story.standing, curves, story.delay, config).partitions == []
    same = OutcomeDelay(0.5, 0.001, {}, {})
    assert weighing(story.standing, curves, same, config).partitions
