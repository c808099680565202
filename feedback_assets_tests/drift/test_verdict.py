import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.config.schema import Drift
from feedback_assets.drift import (
    ReferenceProfile,
    Tally,
    build,
    column_verdict,
    day_verdict,
    report_rows,
    tally,
)
from feedback_assets.drift.report import REPORT_COLUMNS
from feedback_assets.drift.verdict import holm

RNG = np.random.default_rng(0)
CARRIERS = np.array(["UA", "AA", "B6"], dtype=object)


def sample(n, rng=RNG):
    return {
        "temp": rng.normal(10, 4, size=n),
        "wind": rng.gamma(2, size=n),
        "seats": np.where(rng.random(n) < 0.01, np.nan, rng.choice([55.0, 140.0, 180.0], n)),
        "carrier": rng.choice(CARRIERS, n, p=[0.02, 0.48, 0.5]),
        "comment": np.array(["a" * k for k in rng.poisson(30, n)], dtype=object),
    }


KINDS = {
    "temp": "numeric",
    "wind": "numeric",
    "seats": "numeric",
    "carrier": "categorical",
    "comment": "text",
}
PROFILE = build(sample(7000), KINDS, Drift(), days=np.arange(7000) % 7)


def judge(changes=None, n=1000, drift=None, profile=PROFILE):
    values = {**sample(n), **(changes or {})}
    tallies = {k: tally(values[k], c.bins) for k, c in profile.columns.items()}
    return day_verdict(profile, tallies, drift or Drift())


def of(day, name):
    return next(c for c in day.columns if c.name == name)


def test_a_clean_day_is_stable_and_says_how_near_it_came():
    day = judge()
    assert day.status == "stable"
    assert day.reason.startswith("none of 5 columns drifted in 1,000 rows; nearest is ")
    assert {c.status for c in day.columns} == {"stable"}


@pytest.mark.parametrize(
    ("column", "change", "words"),
    [
        ("temp", lambda v: v + 3.6, "temp mean 0.9"),
        ("temp", lambda v: 10 + 2.5 * (v - 10), "temp spread 2."),
        ("temp", lambda v: np.where(np.arange(len(v)) < 300, 5000, v), "outside the reference's"),
        ("seats", lambda v: np.where(np.arange(len(v)) < 150, np.nan, v), "seats null from 1"),
        ("carrier", lambda v: np.where(np.arange(len(v)) < 90, "UA", v), "category UA from "),
        (
            "carrier",
            lambda v: np.where(np.arange(len(v)) < 80, "XX", v),
            "unseen categories from 0%",
        ),
        ("comment", lambda v: np.array([t + "bbbbbb" for t in v], object), "comment mean length"),
        ("comment", lambda v: np.where(np.arange(len(v)) < 100, "", v), "comment empty from 0%"),
    ],
)
def test_what_changed_is_found_and_said(column, change, words):
    day = judge({column: change(sample(1000)[column])})
    assert day.status == "drift"
    assert [c.name for c in day.drifted] == [column]
    assert words in day.reason
    assert "(psi " in day.reason


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("temp", np.full(1000, np.nan), "temp all 1,000 rows are null"),
        ("temp", np.full(1000, 11.0), "temp constant: every value is "),
        ("temp", np.full(1000, "?", object), "temp all 1,000 rows are not a finite number"),
        ("temp", np.where(np.arange(1000) < 600, "?", "9").astype(object), "60% of the rows"),
        ("carrier", np.full(1000, None), "carrier all 1,000 rows are null"),
        ("carrier", np.full(1000, "AA", object), "carrier constant: every value is AA"),
        ("carrier", np.full(1000, "ua", object), "carrier all values are unseen categories"),
        ("comment", np.full(1000, "", object), "comment all 1,000 rows are empty"),
    ],
)
def test_a_broken_column_is_set_apart(column, values, words):
    day = judge({column: values})
    assert day.status == "broken"
    assert words in day.reason
    assert not day.drifted
    assert {c.status for c in day.columns if c.name != column} == {"stable"}


def test_drift_beside_a_broken_column_is_drift_and_both_are_said():
    day = judge({"temp": np.full(1000, np.nan), "wind": sample(1000)["wind"] + 2})
    assert day.status == "drift"
    assert [c.name for c in day.drifted] == ["wind"]
    assert "1 of 5 columns drifted: wind" in day.reason
    assert "1 of 5 columns broken: temp" in day.reason


def test_everything_beyond_the_range_is_drift_not_a_constant():
    day = judge({"temp": sample(1000)["temp"] + 273.15})
    assert of(day, "temp").status == "drift"


def test_few_rows_claim_nothing():
    day = judge({"temp": np.full(99, 99.0)}, n=99)
    assert day.status == "insufficient"
    assert "99 rows" in day.reason
    assert "below 100" in day.reason
    assert judge(n=0).status == "insufficient"
    assert day_verdict(PROFILE, {}, Drift()).status == "insufficient"
    small = build(sample(50), KINDS, Drift())
    assert judge(profile=small).status == "insufficient"


def test_an_ignored_column_is_shown_but_never_decides():
    day = judge(
        {"temp": np.full(1000, 500.0) + RNG.normal(size=1000)}, drift=Drift(ignore=["temp"])
    )
    assert day.status == "stable"
    assert of(day, "temp").status == "drift"
    assert of(day, "temp").ignored


def test_a_column_that_is_null_in_the_reference_neither_breaks_nor_hides_values():
    nothing = np.full(7000, np.nan)
    profile = build({"x": nothing}, {"x": "numeric"}, Drift())
    empty = {"x": tally(np.full(1000, np.nan), profile.columns["x"].bins)}
    assert day_verdict(profile, empty, Drift()).status == "stable"
    filled = {"x": tally(RNG.normal(size=1000), profile.columns["x"].bins)}
    day = day_verdict(profile, filled, Drift())
    assert day.status == "drift"
    assert "null from 100% to 0%" in day.reason


def test_a_constant_that_is_no_surprise_is_not_broken():
    rare = np.where(np.arange(7000) < 7, 1.0, 0.0)
    profile = build({"x": rare}, {"x": "numeric"}, Drift())
    day = day_verdict(profile, {"x": tally(np.zeros(500), profile.columns["x"].bins)}, Drift())
    assert day.status == "stable"


def test_a_column_that_is_constant_within_every_day_is_stable():
    """Weekday: each single day differs wildly from the week, and always did."""
    days = np.repeat(np.arange(35), 200)
    names = np.array(["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"], dtype=object)
    profile = build({"d": names[days % 7]}, {"d": "categorical"}, Drift(), days=days)
    bins = profile.columns["d"].bins
    for name in names:
        day = day_verdict(profile, {"d": tally(np.full(1000, name), bins)}, Drift())
        assert day.status == "stable", day.reason


def test_learned_margins_keep_days_that_swing_quiet_but_not_their_nulls():
    rng = np.random.default_rng(5)

    def weather(n_days, n=300):
        return (rng.normal(size=n_days)[:, None] + 0.3 * rng.normal(size=(n_days, n))).ravel()

    days = np.repeat(np.arange(30), 300)
    profile = build({"temp": weather(30)}, {"temp": "numeric"}, Drift(), days=days)
    column = profile.columns["temp"]
    new = tally(weather(200), column.bins, np.repeat(np.arange(200), 300), 200)
    with_margin, without = (
        [column_verdict(column, new.group(i), d).status for i in range(200)].count("drift")
        for d in (Drift(), Drift(learn_margin=False))
    )
    assert with_margin <= 10
    assert without > 180
    nulls = np.where(np.arange(300) < 60, np.nan, weather(1))
    found = column_verdict(column, tally(nulls, column.bins), Drift())
    assert (found.status, found.change) == ("drift", "null from 0% to 20%")


def test_thirty_clean_features_alarm_about_never():
    rng = np.random.default_rng(6)
    names = [f"x{i}" for i in range(30)]
    profile = build(
        {n: rng.normal(size=5000) for n in names}, dict.fromkeys(names, "numeric"), Drift()
    )
    n_days = 80
    groups = np.repeat(np.arange(n_days), 500)
    tallies = {
        n: tally(rng.normal(size=len(groups)), profile.columns[n].bins, groups, n_days)
        for n in names
    }
    for drift, most in ((Drift(), 0), (Drift(margin_sd=0, learn_margin=False, alpha=0.05), 10)):
        days = [
            day_verdict(profile, {n: t.group(i) for n, t in tallies.items()}, drift)
            for i in range(n_days)
        ]
        assert sum(day.status != "stable" for day in days) <= most


def test_half_a_standard_deviation_is_found_in_one_day_of_1000_rows():
    for _ in range(20):
        day = judge({"temp": sample(1000)["temp"] + 2.0})
        assert [c.name for c in day.drifted] == ["temp"]


def test_an_immaterial_shift_never_alarms_however_many_rows():
    rng = np.random.default_rng(7)
    profile = build({"x": rng.normal(size=200_000)}, {"x": "numeric"}, Drift())
    bins = profile.columns["x"].bins
    for shift, status in ((0.05, "immaterial"), (0.2, "immaterial"), (0.3, "drift")):
        day = day_verdict(profile, {"x": tally(rng.normal(shift, 1, 200_000), bins)}, Drift())
        assert of(day, "x").status == status
        assert of(day, "x").size_sd == pytest.approx(shift, abs=0.03)


def test_days_merge_by_adding_their_tallies():
    column = PROFILE.columns["temp"]
    values = sample(1000)["temp"]
    apart = tally(values, column.bins, np.arange(1000) % 4, 4)
    merged, whole = (
        column_verdict(column, t, Drift()) for t in (apart, tally(values, column.bins))
    )
    assert (merged.counts, merged.p_value, merged.reason) == (
        whole.counts,
        whole.p_value,
        whole.reason,
    )


def test_counts_of_other_bins_are_refused():
    wrong = Tally(np.zeros((1, 3), np.int64), np.zeros((1, 3)))
    with pytest.raises(ValueError, match="'temp' was counted into 3 cells"):
        column_verdict(PROFILE.columns["temp"], wrong, Drift())


def test_the_profile_survives_json_and_judges_the_same():
    again = ReferenceProfile.from_json(PROFILE.to_json())
    assert again.to_json() == PROFILE.to_json()
    assert again.rows == 7000
    values = sample(1000)
    tallies = {k: tally(values[k], c.bins) for k, c in again.columns.items()}
    ours = {k: tally(values[k], c.bins) for k, c in PROFILE.columns.items()}
    before, after = (
        repr(day_verdict(p, t, Drift())) for p, t in ((PROFILE, ours), (again, tallies))
    )
    assert before == after
    with pytest.raises(ValueError, match="format 9"):
        ReferenceProfile.from_json('{"format": 9}')
    damaged = PROFILE.to_json().replace('"counts":[', '"counts":[1,', 1)
    with pytest.raises(ValueError, match="build the profile again"):
        ReferenceProfile.from_json(damaged)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.001, 0.5))
def test_holm_lies_between_bonferroni_and_no_correction(p_values, alpha):
    rejected = holm(p_values, alpha)
    for p, verdict in zip(p_values, rejected, strict=True):
        if p <= alpha / len(p_values):
            assert verdict
        if verdict:
            assert p <= alpha


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats()), max_size=150),
    st.lists(st.one_of(st.none(), st.floats()), max_size=150),
)
def test_no_input_makes_a_verdict_fail_or_undecided(reference, current):
    drift = Drift(min_rows=1)
    data = np.empty(len(reference), object)
    data[:] = reference
    profile = build({"x": data}, {"x": "numeric"}, drift, days=np.arange(len(data)) % 6)
    now = np.empty(len(current), object)
    now[:] = current
    with np.errstate(all="ignore"):
        day = day_verdict(profile, {"x": tally(now, profile.columns["x"].bins)}, drift)
    assert 0 <= day.columns[0].p_value <= 1
    assert day.reason
    assert day.columns[0].reason


def test_report_rows_have_every_column_and_type():
    frame = report_rows({"2013-02-01": judge(), "2013-02-02": judge({"temp": np.full(1000, None)})})
    assert list(frame.columns) == list(REPORT_COLUMNS)
    assert len(frame) == 10
    assert frame.dtypes["psi"] == "float64"
    assert frame.dtypes["rows"] == "int64"
    row = frame[(frame.partition_key == "2013-02-02") & (frame.column_name == "temp")].iloc[0]
    assert (row.status, row.null_share, row.rows, row.rows_ref) == ("broken", 1.0, 1000, 7000)
    counts = np.array([eval(c) for c in frame.counts], dtype=object)
    assert all(sum(c) == 1000 for c in counts)
    assert list(report_rows({}).columns) == list(REPORT_COLUMNS)


def test_hostile_category_names_are_cut_and_printable():
    values = np.array(["a\x00\n" + "b" * 300] * 500 + ["c"] * 500, dtype=object)
    profile = build({"x": values}, {"x": "categorical"}, Drift())
    now = tally(np.where(np.arange(1000) < 900, values[0], "c"), profile.columns["x"].bins)
    reason = day_verdict(profile, {"x": now}, Drift()).reason
    assert "\x00" not in reason
    assert "\n" not in reason
    assert len(reason) < 200
