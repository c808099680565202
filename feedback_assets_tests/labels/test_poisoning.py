"""Batches that make held-out rows harder to predict are told from those that do not."""

import datetime as dt
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from feedback_assets.config.pool import Poisoning
from feedback_assets.labels.poisoning import Trial, influences, relative_change
from feedback_assets.labels.refusals import Batch
from feedback_assets.tables.connection import connect

Ints = npt.NDArray[np.int64]
SINCE, UNTIL = (dt.datetime(2024, 1, day, tzinfo=dt.UTC) for day in (1, 9))


class World:
    """Rows of ten kinds; a model that counts labels by kind. Rows 0 to 999 were known before."""

    def __init__(self, wrong: float, batch: int = 300) -> None:
        rng = np.random.default_rng(1)
        n = 1_000 + 2 * batch + 1_000
        self.kind = rng.integers(0, 10, n)
        self.said = (rng.random(n) < np.where(self.kind % 2, 0.8, 0.2)).astype(np.int64)
        self.batches = [
            np.arange(1_000, 1_000 + batch),
            np.arange(1_000 + batch, 1_000 + 2 * batch),
        ]
        flipped = self.batches[1][rng.random(batch) < wrong]
        self.said[flipped] = 1 - self.said[flipped]
        self.held = np.arange(n - 1_000, n)

    def losses(self, taught: Ints, asked: Ints) -> npt.NDArray[np.float64]:
        ones = np.bincount(self.kind[taught], self.said[taught], minlength=10) + 1
        p = (ones / (np.bincount(self.kind[taught], minlength=10) + 2))[self.kind[asked]]
        return np.asarray(-np.log(np.where(self.said[asked] == 1, p, 1 - p)))

    def refused(self, held: int = 1_000) -> list[bool]:
        trials = [
            Trial(Batch("label_principal", (name,), SINCE, UNTIL), rows, self.held[:held])
            for name, rows in zip("ab", self.batches, strict=True)
        ]
        return [
            one.refused for one in influences(trials, np.arange(1_000), self.losses, Poisoning())
        ]


def test_the_poisoned_batch_and_no_other_is_refused() -> None:
    assert World(1.0, 600).refused() == [False, True]


def test_good_batches_pass() -> None:
    assert World(0.0).refused() == [False, False]


def test_what_is_not_sure_passes() -> None:
    assert World(1.0, 600).refused(held=40) == [False, False]
    assert World(1.0, 600).refused(held=10) == []


def test_the_interval_of_the_relative_change_covers() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(400):
        without = rng.gamma(2, 0.3, 300)
        both = without * rng.normal(1.1, 0.2, 300)
        change, error = relative_change(without, both)
        hits += abs(change - 0.1) <= 1.96 * error
    assert 0.92 <= hits / 400 <= 0.98


@pytest.mark.parametrize(("both", "change"), [([0.0, 0.0], 0.0), ([1.0, 0.0], float("inf"))])
def test_a_perfect_model_has_no_relative_change(both: list[float], change: float) -> None:
    assert relative_change(np.zeros(2), np.array(both)) == (change, 0.0)


def test_a_batch_is_kept_as_json() -> None:
    batch = Batch("label_source", ("web", "desk"), SINCE, UNTIL)
    assert Batch.from_json(batch.to_json()) == batch
    later = replace(batch, after=SINCE)
    assert Batch.from_json(later.to_json()) == later
    assert batch.words == "web, desk: labels received 2024-01-01 00:00 to 2024-01-09 00:00"


@pytest.mark.parametrize("after", [None, UNTIL - dt.timedelta(days=4)])
def test_frames_and_sql_hold_the_same_rows(after: dt.datetime | None) -> None:
    days = [dt.timedelta(days=n) for n in range(-2, 12)]
    rows = pd.DataFrame(
        [
            {"label_source": who, "event_time": SINCE + e, "label_received_time": SINCE + r}
            for who in ("web", "desk", None) for e in days for r in days
        ]
    )  # fmt: skip
    batch = Batch("label_source", ("web", "o'hara"), SINCE, UNTIL, after)
    with connect() as con:
        con.register("t", rows.assign(place=range(len(rows))))
        found = con.execute(f"SELECT {batch.sql('t')} FROM t ORDER BY place").fetchall()
    assert [held for (held,) in found] == batch.holds(rows).tolist()
    assert 0 < batch.holds(rows).sum() < len(rows) / 3
