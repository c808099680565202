import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.config.judgement import Drift
from feedback_assets.drift import (
    WHOLE,
    DayVerdict,
    Tally,
    build,
    days_read,
    from_tallies,
    judge,
    judge_once,
    tally,
)
from feedback_assets_tests.drift.examples import PROFILE, days_of, sample

RNG = np.random.default_rng(0)


def of(day, name):
    return next(c for c in day.columns if c.name == name)


def one_column(reference, days, drift=None, kind="numeric", ref_days=None):
    """Verdicts of one column over days of raw values."""
    drift = drift or Drift()
    profile = build({"x": reference}, {"x": kind}, drift, days=ref_days)
    groups = np.repeat(np.arange(len(days)), [len(d) for d in days])
    column = tally(np.concatenate(days), profile.columns["x"].bins, groups, len(days))
    keys = [str(i) for i in range(len(days))]
    return list(judge(profile, {WHOLE: {"x": column}}, keys, drift, range(len(days))).values())


def test_clean_days_are_stable_and_say_how_near_they_came():
    for day in days_of():
        assert day.status == "stable"
        assert day.reason.startswith("none of 5 columns drifted in 1,000 rows; nearest is ")
        assert {c.status for c in day.columns} == {"stable"}
        assert {c.reason for c in day.columns} == {"no change beyond chance"}


def first(part, value):
    return lambda v: np.where(np.arange(len(v)) < part, value, v)


@pytest.mark.parametrize(
    ("column", "change", "words"),
    [
        ("temp", lambda v: v + 3.6, "temp material change since about 2024-01-03 (mean 0.9"),
        ("temp", lambda v: 10 + 2.5 * (v - 10), "spread 2."),
        ("temp", first(300, 5000.0), "outside the reference's"),
        ("seats", first(150, np.nan), "(null from 1.0% to 1"),
        ("carrier", first(90, "UA"), "(category UA from "),
        ("carrier", first(80, "XX"), "unseen categories from 0%"),
        ("comment", lambda v: np.array([t + "bbbbbb" for t in v], object), "mean length"),
        ("comment", first(100, ""), "empty from 0%"),
    ],
)
def test_what_changed_is_found_dated_and_said(column, change, words):
    days = days_of({column: change})
    assert [day.status for day in days[:2]] == ["stable"] * 2
    assert days[-1].status == "drift"
    assert [c.name for c in days[-1].drifted] == [column]
    assert of(days[-1], column).since == "2024-01-03"
    assert words in days[-1].reason
    assert "; e = " in days[-1].reason


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("temp", np.full(1000, np.nan), "temp all 1,000 rows are null"),
        ("temp", np.full(1000, 11.0), "temp constant: every value is "),
        ("temp", np.full(1000, np.inf), "temp all 1,000 rows are not a finite number"),
        ("temp", np.where(np.arange(1000) < 600, np.inf, 9.0), "60% of the rows"),
        ("carrier", np.full(1000, None), "carrier all 1,000 rows are null"),
        ("carrier", np.full(1000, "AA", object), "carrier constant: every value is AA"),
        ("carrier", np.full(1000, "ua", object), "carrier all values are unseen categories"),
        ("comment", np.full(1000, "", object), "comment all 1,000 rows are empty"),
    ],
)
def test_a_broken_column_is_set_apart(column, values, words):
    day = days_of({column: lambda _: values}, changed=1)[-1]
    assert day.status == "broken"
    assert words in day.reason
    assert not day.drifted
    assert {c.status for c in day.columns if c.name != column} == {"stable"}


def test_drift_beside_a_broken_column_is_drift_and_both_are_said():
    day = days_of({"temp": lambda v: np.full(len(v), np.nan), "wind": lambda v: v + 2})[-1]
    assert day.status == "drift"
    assert [c.name for c in day.drifted] == ["wind"]
    assert "1 of 5 columns drifted: wind" in day.reason
    assert "1 of 5 columns broken: temp" in day.reason


def test_everything_beyond_the_range_is_drift_not_a_constant():
    assert of(days_of({"temp": lambda v: v + 273.15})[-1], "temp").status == "drift"


def test_few_rows_claim_nothing_and_say_how_many_are_missing():
    days = days_of(n=40, clean=4, changed=0)
    assert [day.status for day in days] == ["insufficient", "insufficient", "stable", "stable"]
    assert days[0].reason == "40 rows, 60 more needed"
    assert days[1].reason == "80 rows, 20 more needed"
    assert np.isnan(days[0].columns[0].evidence)
    small = build(sample(50, RNG), {"temp": "numeric"}, Drift())
    assert days_of(profile=small)[0].reason == "50 rows in the reference, 50 more needed"
    assert days_of(n=0)[0].reason == "no rows"
    assert DayVerdict((), 0, note="no champion yet").reason == "no champion yet"
    assert judge(PROFILE, {}, ["a"], Drift(), [0])["a"].status == "insufficient"
    assert judge(PROFILE, {}, ["a"], Drift(), []) == {}


def test_an_ignored_column_is_shown_but_never_decides():
    day = days_of({"temp": lambda v: v + 8}, drift=Drift(ignore=["temp"]))[-1]
    assert day.status == "stable"
    assert of(day, "temp").status == "drift"
    assert of(day, "temp").ignored


def test_a_column_that_is_null_in_the_reference_neither_breaks_nor_hides_values():
    nothing = np.full(7000, np.nan)
    assert one_column(nothing, [np.full(1000, np.nan)])[0].status == "stable"
    day = one_column(nothing, [RNG.normal(size=1000)])[0]
    assert day.status == "drift"
    assert "null from 100% to 0%" in day.reason


def test_a_constant_that_is_no_surprise_is_not_broken():
    rare = np.where(np.arange(7000) < 7, 1.0, 0.0)
    assert one_column(rare, [np.zeros(500)])[0].status == "stable"


def test_what_passes_for_broken_gets_rarer_so_that_looking_every_day_is_free():
    coin = np.arange(4000) % 2.0
    heads, both = np.ones(9), np.arange(9) % 2.0
    found = one_column(coin, [heads] + [both] * 39 + [heads], Drift(min_rows=5))
    assert found[0].status == "broken"
    assert found[40].status != "broken"


def test_a_column_that_is_constant_within_every_day_is_stable():
    """Weekday: each single day differs wildly from the week, and always did."""
    days = np.repeat(np.arange(35), 200)
    names = np.array(["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"], dtype=object)
    found = one_column(
        names[days % 7], [np.full(1000, n) for n in names], kind="categorical", ref_days=days
    )
    assert {day.status for day in found} == {"stable"}


def test_learned_margins_keep_days_that_swing_quiet_but_not_their_nulls():
    rng = np.random.default_rng(5)

    def weather(n_days, n=300):
        return rng.normal(size=n_days)[:, None] + 0.3 * rng.normal(size=(n_days, n))

    days = np.repeat(np.arange(30), 300)
    reference, new = weather(30).ravel(), list(weather(120))
    with_margin, without = (
        sum(day.status == "drift" for day in one_column(reference, new, d, ref_days=days))
        for d in (Drift(), Drift(learn_margin=False))
    )
    assert with_margin <= 2
    assert without > 100
    nulls = [np.where(np.arange(300) < 60, np.nan, day) for day in weather(2)]
    found = one_column(reference, nulls, ref_days=days)[-1]
    assert found.status == "drift"
    assert "(null from 0% to 20%; e = " in found.reason


def test_the_week_in_the_reference_raises_no_alarm():
    rng = np.random.default_rng(8)
    week = 0.8 * rng.normal(size=7)

    def rows(days, n):
        return week[days % 7][:, None] + rng.normal(size=(len(days), n))

    reference = rows(np.arange(28), 300)
    found = one_column(
        reference.ravel(), list(rows(np.arange(150), 300)), ref_days=np.repeat(np.arange(28), 300)
    )
    assert not any(day.drifted for day in found)


def test_an_immaterial_shift_never_alarms_however_many_rows():
    rng = np.random.default_rng(7)
    reference = rng.normal(size=200_000)
    for shift, status in ((0.05, "immaterial"), (0.09, "immaterial"), (0.2, "drift")):
        day = one_column(reference, list(rng.normal(shift, 1, (4, 100_000))))[-1]
        assert of(day, "x").status == status
        assert of(day, "x").size_sd == pytest.approx(shift, abs=0.03)
    assert "change immaterial: " in one_column(reference, [reference + 0.05])[0].columns[0].reason


def test_a_day_that_was_odd_is_over_when_it_is_over():
    days = [RNG.normal(size=1000) for _ in range(8)]
    days[2] = days[2] + 3
    days[3] = days[3] + 3
    found = one_column(RNG.normal(size=5000), days)
    assert [day.status for day in found[2:4]] == ["drift", "drift"]
    assert {day.status for day in found[5:]} == {"stable"}


def stretch(profile, rows, n_days):
    groups = np.arange(len(rows["temp"])) % n_days
    return {WHOLE: {n: tally(rows[n], c.bins, groups, n_days) for n, c in profile.columns.items()}}


@settings(max_examples=10, deadline=None)
@given(st.sets(st.integers(0, 11), min_size=1), st.integers(8, 20), st.randoms())
def test_the_verdict_does_not_depend_on_order_or_on_which_days_are_asked(wanted, window, random):
    rows = sample(12 * 200, np.random.default_rng(3))
    rows["temp"] = rows["temp"] + 2.0 * (np.arange(len(rows["temp"])) % 12 > 6)
    keys, drift = [str(i) for i in range(12)], Drift(window_days=window)
    held = stretch(PROFILE, rows, 12)
    order = np.arange(200)
    random.shuffle(order)
    whole = (order[:, None] * 12 + np.arange(12)).ravel()
    mixed = stretch(PROFILE, {n: np.asarray(v)[whole] for n, v in rows.items()}, 12)
    every = judge(PROFILE, held, keys, drift, range(12))
    some = judge(PROFILE, mixed, keys, drift, wanted)
    assert sorted(some) == sorted(keys[p] for p in wanted)
    for key, day in some.items():
        assert day.reason == every[key].reason
        for one, other in zip(day.columns, every[key].columns, strict=True):
            assert one.evidence == pytest.approx(other.evidence, abs=1e-9)
            assert (one.status, one.since, one.counts) == (other.status, other.since, other.counts)


def test_days_before_the_window_are_not_needed():
    rows = sample(14 * 300, np.random.default_rng(4))
    rows["temp"] = rows["temp"] + 1.5 * (np.arange(len(rows["temp"])) % 14 > 9)
    keys, drift = [str(i) for i in range(14)], Drift(window_days=9)
    held = stretch(PROFILE, rows, 14)
    blank = {
        n: Tally(np.where(np.arange(14)[:, None] < 5, 0, t.counts), t.sums)
        for n, t in held[WHOLE].items()
    }
    assert repr(judge(PROFILE, held, keys, drift, [13])) == repr(
        judge(PROFILE, {WHOLE: blank}, keys, drift, [13])
    )


def test_labels_that_are_still_coming_are_shown_and_do_not_decide():
    rng = np.random.default_rng(9)
    profile = build(
        {"label": rng.random(5000) < 0.2}, {"label": "categorical"}, Drift(),
        roles={"label": "label"},
    )  # fmt: skip
    groups = np.repeat(np.arange(4), 500)
    column = tally(rng.random(2000) < 0.6, profile.columns["label"].bins, groups, 4)
    column.counts[3] = 0
    keys = list("abcd")
    days = judge(profile, {WHOLE: {"label": column}}, keys, Drift(), range(4), {"label": {0, 1}})
    assert [days[k].status for k in keys] == ["drift", "drift", "insufficient", "insufficient"]
    assert "shown only" in days["c"].columns[0].reason
    assert days["c"].columns[0].statistics.psi > 0.5
    assert not days["d"].columns


def sliced(changed=False, n=6000, seed=0):
    rng = np.random.default_rng(seed)
    origin = rng.choice(np.array(["EWR", "JFK", "LGA"], object), n)
    delay = rng.normal(size=n) + 2.0 * (changed & (origin == "LGA"))
    return {"delay": delay, "origin": origin}


def test_a_slice_that_drifts_is_named_with_its_place():
    rows = sliced()
    kinds = {"delay": "numeric", "origin": "categorical"}
    profile = build(rows, kinds, Drift(), segments={"origin": rows["origin"]})
    assert set(profile.segments) == {("origin", v) for v in ("EWR", "JFK", "LGA")}
    now = sliced(changed=True, n=900, seed=1)
    held = {}
    for key in (WHOLE, *profile.segments, ("origin", "XXX")):
        here = np.ones(900, bool) if key == WHOLE else now["origin"] == key[1]
        held[key] = {n: tally(now[n][here], c.bins) for n, c in profile.columns.items()}
    day = judge(profile, held, ["a"], Drift(), [0])["a"]
    assert {c.slice for c in day.drifted} == {WHOLE, ("origin", "LGA")}
    assert day.drifted_columns == ("delay",)
    assert day.drift_weight == 1.0
    assert "1 slice drifted: delay where origin = LGA material change" in day.reason


def test_weights_add_up_over_the_columns_that_drifted():
    changes = {"temp": lambda v: v + 5, "wind": lambda v: v + 2}
    day = days_of(changes, drift=Drift(weights={"temp": 3.0, "seats": 9.0}))[-1]
    assert day.drift_weight == 4.0
    assert of(day, "temp").weight == 3.0


def test_impact_is_the_loss_that_the_move_predicts():
    rng = np.random.default_rng(2)
    x = rng.choice(np.array(["a", "b"], object), 8000, p=[0.75, 0.25])
    loss = np.where(x == "a", 0.1, 0.5)
    loss[:10] = np.nan
    profile = build({"x": x}, {"x": "categorical"}, Drift(), losses=loss)
    bins = profile.columns["x"].bins
    now = tally(np.array(["a"] * 500 + ["b"] * 500, object), bins)
    found = judge(profile, {WHOLE: {"x": now}}, ["d"], Drift(), [0])["d"].columns[0]
    moved = 0.5 - (x == "b").mean()
    assert found.impact == pytest.approx(0.4 * moved, abs=1e-3)
    assert np.isnan(days_of()[0].columns[0].impact)


def test_a_moving_reference_is_other_days_in_the_same_cells():
    rng = np.random.default_rng(3)
    rows = sample(20 * 500, rng)
    rows["temp"] = rows["temp"] + 6.0
    held = stretch(PROFILE, rows, 20)
    recent = from_tallies(PROFILE, held, Drift())
    assert recent.rows == 10_000
    assert recent.columns["temp"].bins is PROFILE.columns["temp"].bins
    now = sample(800, rng)
    now["temp"] = now["temp"] + 6.0
    current = {WHOLE: {n: tally(now[n], c.bins) for n, c in PROFILE.columns.items()}}
    assert judge_once(PROFILE, current, Drift()).drifted_columns == ("temp",)
    day = judge_once(recent, current, Drift())
    assert day.status == "stable"
    moved = judge_once(recent, stretch(PROFILE, sample(900, rng), 3), Drift())
    assert moved.drifted_columns == ("temp",)
    assert "material change (mean 1" in moved.reason


def test_one_clean_day_against_few_others_rarely_alarms():
    rng = np.random.default_rng(4)
    profile = build({"x": rng.normal(size=5000)}, {"x": "numeric"}, Drift())
    bins = profile.columns["x"].bins
    alarms = 0
    for _ in range(60):
        days = tally(rng.normal(size=1000), bins, np.arange(1000) % 4, 4)
        other = from_tallies(profile, {WHOLE: {"x": days}}, Drift(margin_sd=0))
        today = {WHOLE: {"x": tally(rng.normal(size=1000), bins)}}
        alarms += judge_once(other, today, Drift(margin_sd=0)).status == "drift"
    assert alarms <= 1


def test_counts_of_other_bins_are_refused():
    wrong = Tally(np.zeros((1, 3), np.int64), np.zeros((1, 3)))
    with pytest.raises(ValueError, match="'temp' was counted into 3 cells"):
        judge(PROFILE, {WHOLE: {"temp": wrong}}, ["a"], Drift(), [0])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats()), max_size=150),
    st.lists(st.lists(st.one_of(st.none(), st.floats()), max_size=80), min_size=1, max_size=3),
)
def test_no_input_makes_a_verdict_fail_or_undecided(reference, days):
    drift = Drift(min_rows=1)

    def boxed(values):
        data = np.empty(len(values), object)
        data[:] = values
        return data

    with np.errstate(all="ignore"):
        found = one_column(
            boxed(reference),
            [boxed(d) for d in days],
            drift,
            ref_days=np.arange(len(reference)) % 6,
        )
    for day in found:
        assert day.reason
        for column in day.columns:
            assert column.reason
            assert (column.status == "insufficient") or not np.isnan(column.size_sd)
            if column.status in ("stable", "immaterial", "drift"):
                assert np.isfinite(column.evidence)


def test_hostile_category_names_are_cut_and_printable():
    values = np.array(["a\x00\n" + "b" * 300] * 500 + ["c"] * 500, dtype=object)
    profile = build({"x": values}, {"x": "categorical"}, Drift(), segments={"s": values})
    now = tally(np.where(np.arange(1000) < 900, values[0], "c"), profile.columns["x"].bins)
    held = {WHOLE: {"x": now}, ("s", values[0]): {"x": now}}
    reason = judge(profile, held, ["a"], Drift(), [0])["a"].reason
    assert "\x00" not in reason
    assert "\n" not in reason
    assert len(reason) < 400


def test_days_long_before_need_not_be_read():
    rng = np.random.default_rng(8)
    before, policy = rng.normal(size=3_000), Drift(window_days=5)
    profile = build({"x": before}, {"x": "numeric"}, policy)
    days = [f"d{day:02d}" for day in range(40)]
    values = rng.normal(size=40 * 200) + np.repeat(np.arange(40) >= 37, 200)
    counted = tally(values, profile.columns["x"].bins, np.repeat(np.arange(40), 200), 40)
    whole = judge(profile, {WHOLE: {"x": counted}}, days, policy, [38, 39])
    skipped = 39 - days_read(policy)
    late = Tally(counted.counts[skipped:], counted.sums[skipped:])
    wanted = [38 - skipped, 39 - skipped]
    found = judge(
        profile, {WHOLE: {"x": late}}, days[skipped:], policy, wanted, skipped=skipped
    )  # fmt: skip
    assert repr(found) == repr(whole)
    assert found["d39"].columns[0].status == "drift"
    assert found["d39"].columns[0].since == "d37"
