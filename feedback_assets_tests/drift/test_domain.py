import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from feedback_assets.config.judgement import Drift
from feedback_assets.drift import domain
from feedback_assets.drift.domain import domain_verdict, usual_auc

DRIFT = Drift()
KINDS = {"a": "numeric", "b": "numeric", "n": "numeric", "c": "categorical", "t": "text"}


def rows(seed, n, together=0.0, moved=0.0, words=1):
    """`a` and `b` go together or not: no column shows that alone."""
    rng = np.random.default_rng(seed)
    a, noise = rng.normal(size=(2, n))
    b = together * a + math.sqrt(1 - together**2) * noise
    frame = pd.DataFrame({"a": a + moved, "b": b, "n": rng.normal(size=n)})
    frame.loc[rng.random(n) < 0.1, "n"] = np.nan
    frame["c"] = rng.choice(["x", "y", "<b>", None], n)
    frame["t"] = ["word " * words] * n
    return frame


def test_clean_rows_are_not_told_apart():
    found = [domain_verdict(rows(s, 600), rows(50 + s, 500), KINDS, DRIFT) for s in range(5)]
    assert [v.status for v in found] == ["stable"] * 5
    assert sum(v.low <= 0.5 <= v.high for v in found) >= 4
    assert all(v.columns == () and "no better than chance" in v.reason for v in found)


def test_what_no_column_shows_alone_is_found_with_its_columns():
    before, now = rows(0, 1_500), rows(1, 1_500, together=0.8)
    found = domain_verdict(before, now, KINDS, DRIFT)
    assert found.status == "drift"
    assert found.margin < found.low < found.auc < found.high
    assert found.evidence > math.log(1e3)
    assert {name for name, _ in found.columns[:2]} == {"a", "b"}
    assert "a" in found.reason
    alone = domain_verdict(before, now, {"b": "numeric", "n": "numeric"}, DRIFT)
    assert alone.status == "stable"


def test_each_kind_of_column_counts():
    assert domain_verdict(rows(0, 400), rows(1, 400, moved=2), KINDS, DRIFT).columns[0][0] == "a"
    assert domain_verdict(rows(0, 400), rows(1, 400, words=3), KINDS, DRIFT).columns[0][0] == "t"
    nulls, new = rows(1, 400).assign(n=np.nan), rows(1, 400).assign(c="new <script>")
    assert domain_verdict(rows(0, 400), nulls, KINDS, DRIFT).columns[0][0] == "n"
    told = domain_verdict(rows(0, 400), new, KINDS, DRIFT)
    assert told.columns[0][0] == "c"
    assert told.auc > 0.95


def test_a_difference_that_is_usual_is_immaterial():
    before, now = rows(0, 1_500), rows(1, 1_500, moved=0.5)
    assert domain_verdict(before, now, KINDS, DRIFT).status == "drift"
    usual = domain_verdict(before, now, KINDS, DRIFT, usual=0.9)
    assert usual.status == "immaterial"
    assert usual.margin == 0.9
    assert usual.reason.startswith("immaterial up to AUC 0.90")


def test_the_usual_auc_is_that_of_the_days_among_themselves():
    days = np.repeat(["1", "2", "3", "4"], 300)
    calm = rows(0, 1_200)
    swinging = calm.assign(a=calm["a"] + np.repeat([0, 1.5, -1.5, 0], 300))
    low, high = (usual_auc(f, days, KINDS, DRIFT, tried=3) for f in (calm, swinging))
    assert 0.5 <= low < 0.6
    assert high > 0.75
    assert usual_auc(calm, np.repeat("1", 1_200), KINDS, DRIFT) == 0.5


def test_order_of_the_rows_does_not_matter_and_samples_are_bounded(monkeypatch):
    before, now = rows(0, 700), rows(1, 500, moved=0.4)
    plain = domain_verdict(before, now, KINDS, DRIFT)
    mixed = domain_verdict(before.sample(frac=1, random_state=3), now[::-1], KINDS, DRIFT)
    assert plain == mixed
    monkeypatch.setattr(domain, "MAX_ROWS", 300)
    thinned = domain_verdict(before, now, KINDS, DRIFT)
    assert (thinned.rows_ref, thinned.rows) == (300, 300)


def test_few_rows_claim_nothing():
    few = domain_verdict(rows(0, 500), rows(1, 40), KINDS, DRIFT)
    assert few.status == "insufficient"
    assert few.reason == "40 rows, 60 more needed"
    assert math.isnan(few.auc)
    none = domain_verdict(rows(0, 500), rows(1, 0), KINDS, DRIFT)
    assert none.reason == "0 rows, 100 more needed"
    assert domain_verdict(rows(0, 500), rows(1, 500), {}, DRIFT).status == "insufficient"


def test_a_column_that_is_missing_or_constant_is_borne():
    empty = rows(1, 300).drop(columns="b").assign(n=np.inf)
    found = domain_verdict(rows(0, 300), empty, KINDS, DRIFT)
    assert found.auc > 0.9
    assert {name for name, _ in found.columns} <= {"b", "n"}


def test_delong_auc_is_that_of_sklearn_and_its_variance_that_of_resampling():
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(0.7, 1, 150).round(1), rng.normal(0, 1, 250).round(1)
    auc, variance = domain._delong(positive, negative)
    truth = np.repeat([1, 0], [150, 250])
    assert auc == pytest.approx(roc_auc_score(truth, np.concatenate([positive, negative])))
    drawn = [
        domain._delong(rng.choice(positive, 150), rng.choice(negative, 250))[0] for _ in range(600)
    ]
    assert math.sqrt(variance) == pytest.approx(np.std(drawn), rel=0.12)
