"""Few principals who flip labels cost nothing: the model is the one that is made without them."""

import datetime as dt
from typing import NamedTuple

import duckdb
import numpy as np
import pandas as pd
import pytest

from feedback_assets.assets.pool_findings import find
from feedback_assets.assets.pool_source import PoolSource
from feedback_assets.assets.pool_weights import who_said
from feedback_assets.config.schema import Config
from feedback_assets.labels.pool import Sifting, eligibility_sql, exclusion_sql
from feedback_assets.training.fit import train
from feedback_assets.training.sample_weights import weights_of
from feedback_assets_tests.promotion.loops import loop_config

ROWS, PRINCIPALS, BAD = 9_000, 400, 5
START = pd.Timestamp("2024-01-01", tz="UTC")
AS_OF = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)
KEYS = [f"{day:%Y-%m-%d}" for day in pd.date_range(START, periods=30)]


def world(share: float, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labelled rows of which five principals gave a share, all of it flipped; and fresh true rows."""
    rng = np.random.default_rng(seed)
    n = 2 * ROWS
    x, c = rng.normal(size=n), rng.integers(0, 4, n)
    y = rng.random(n) < 1 / (1 + np.exp(1.0 - 1.6 * x - 1.5 * (c == 2) + x**2 / 3))
    bad = rng.random(n) < share
    who = np.where(bad, rng.integers(0, BAD, n), rng.integers(BAD, PRINCIPALS, n))
    at = START + pd.to_timedelta(rng.random(n) * 30, unit="D")
    frame = pd.DataFrame(
        {
            "prediction_id": [f"r{i:06d}" for i in range(n)], "event_time": at,
            "received_time": at, "role": "served", "x": x, "c": c.astype(str),
            "label": np.where(bad, ~y, y).astype(int), "truth": y.astype(int), "bad": bad,
            "label_status": "accepted", "label_received_time": at, "label_conflict": False,
            "label_source": "users", "label_principal": [f"user:{w:03d}" for w in who],
            "label_confidence": 1.0, "partition_key": at.strftime("%Y-%m-%d"),
        }
    )  # fmt: skip
    return frame.iloc[:ROWS], frame.iloc[ROWS:]


def loop(**trust: object) -> Config:
    return loop_config(trust=trust, columns={"segments": []}, pool={"holdout_days": 3})


class Outcome(NamedTuple):
    """The model that is trained from some labels, on fresh rows, and what became of the labels."""

    auc: float
    log_loss: float
    counts: dict[str, int]


def trained(config: Config, rows: pd.DataFrame, fresh: pd.DataFrame) -> Outcome:
    """Find who lies, sift, train, and ask about fresh rows."""
    from sklearn.metrics import log_loss, roc_auc_score

    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("t", rows)
        columns = tuple(rows.columns)
        sifting = Sifting(config, "t", columns, KEYS, AS_OF)
        found = find(con, sifting, who_said(config, con, PoolSource("t", columns, False)), None)
        pool = con.execute(eligibility_sql(found.sifting)).df()
        counts = dict(con.execute(exclusion_sql(found.sifting)).fetchall())
    assert sum(counts.values()) == len(rows)
    kept = pool[pool["split"] == "train"]
    score = train(kept, kept["label"], config, weights_of(kept)).model.score(fresh).score
    truth = fresh["truth"]
    return Outcome(float(roc_auc_score(truth, score)), float(log_loss(truth, score)), counts)


@pytest.mark.parametrize(("share", "auc", "loss"), [(0.1, 0.002, 0.01), (0.3, 0.02, 0.05)])
def test_flips_by_five_of_four_hundred_cost_nothing(share: float, auc: float, loss: float) -> None:
    rows, fresh = world(share)
    clean = trained(loop(), rows[~rows["bad"]], fresh)
    guarded = trained(loop(), rows, fresh)
    bare = trained(loop(quarantine=False, cap_times=None), rows, fresh)
    assert guarded.counts["principal quarantined"] == rows["bad"].sum()
    assert abs(guarded.auc - clean.auc) <= 0.005
    assert abs(guarded.log_loss - clean.log_loss) <= 0.002
    assert bare.auc < clean.auc - auc
    assert bare.log_loss > clean.log_loss + loss


def test_the_cap_alone_softens_what_a_flood_does() -> None:
    rows, fresh = world(0.3)
    clean = trained(loop(), rows[~rows["bad"]], fresh).log_loss
    capped = trained(loop(quarantine=False), rows, fresh)
    bare = trained(loop(quarantine=False, cap_times=None), rows, fresh).log_loss
    assert capped.counts["principal over the cap"] > 1_500
    assert clean < capped.log_loss < bare
    assert capped.log_loss - clean < (bare - clean) / 4


def test_who_was_cleared_is_let_in() -> None:
    rows, fresh = world(0.1)
    counts = trained(loop(cleared=["user:00?"]), rows, fresh).counts
    assert "principal quarantined" not in counts
