import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.config.judgement import Drift
from feedback_assets.drift.binning import (
    bins_from,
    count,
    count_categories,
    tally,
)
from feedback_assets.drift.bins import ColumnBins
from feedback_assets.drift.profile import build

DRIFT = Drift(bins=16, max_categories=3)
NUMBERS = st.lists(
    # The largest float itself has no cell above it.
    st.one_of(st.none(), st.floats(-1e300, 1e300), st.sampled_from([np.nan, np.inf, -np.inf])),
    max_size=80,
)
TEXTS = st.lists(st.one_of(st.none(), st.text(max_size=4), st.sampled_from("abc")), max_size=80)


def column(values: list[object]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@settings(max_examples=60, deadline=None)
@given(NUMBERS, NUMBERS)
def test_every_number_falls_into_exactly_one_cell(reference, current):
    bins = bins_from(column(reference), "numeric", DRIFT)
    assert all(a < b for a, b in zip(bins.edges, bins.edges[1:], strict=False))
    counts = count(column(current), bins)[0]
    assert counts.sum() == len(current)
    nulls = sum(v is None or v != v for v in current)
    infinite = sum(v is not None and np.isinf(v) for v in current)
    assert counts[bins.null] == nulls
    assert counts[bins.null + 1] == infinite
    finite = [v for v in reference if v is not None and np.isfinite(v)]
    if finite:
        inside = count(column(finite), bins)[0]
        assert inside[list(bins.outside)].sum() == 0


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS)
def test_every_category_and_text_falls_into_exactly_one_cell(reference, current):
    for kind in ("categorical", "text"):
        bins = bins_from(column(reference), kind, DRIFT)
        counts = count(column(current), bins)[0]
        assert counts.sum() == len(current)
        assert counts[bins.null] == sum(v is None for v in current)
    bins = bins_from(column(reference), "categorical", DRIFT)
    unseen = sum(v is not None and v not in set(reference) for v in current)
    assert count(column(current), bins)[0][len(bins.categories) + 1] == unseen


@settings(max_examples=30, deadline=None)
@given(NUMBERS, st.integers(1, 4))
def test_groups_add_up_to_the_whole(values, n_groups):
    bins = bins_from(column([1.0, 2.0, 2.0, 5.0] * 10), "numeric", DRIFT)
    groups = np.arange(len(values)) % n_groups
    apart = tally(column(values), bins, groups, n_groups)
    whole = tally(column(values), bins)
    assert apart.counts.shape == (n_groups, bins.size)
    np.testing.assert_array_equal(apart.total().counts, whole.counts)
    np.testing.assert_allclose(apart.total().sums, whole.sums)
    np.testing.assert_array_equal(apart.without(0).counts + apart.counts[:1], whole.counts)


def test_a_group_beyond_the_number_of_groups_is_an_error():
    bins = bins_from([1.0] * 10, "numeric", DRIFT)
    with pytest.raises(ValueError, match="n_groups=2"):
        count([1.0, 2.0], bins, [0, 2], 2)


def test_a_value_with_much_mass_gets_its_own_bin():
    rng = np.random.default_rng(0)
    values = np.where(rng.random(4000) < 0.5, 0.0, rng.exponential(size=4000))
    bins = bins_from(values, "numeric", DRIFT)
    counts = count(values, bins)[0]
    cell = int(count([0.0], bins)[0].argmax())
    assert counts[cell] == (values == 0).sum()
    assert bins.label(cell) == "0"
    others = np.delete(counts[1 : bins.values - 1], cell - 1)
    assert others[others > 0].max() < 2 * 4000 / 16


def test_a_small_reference_gets_few_bins():
    bins = bins_from(np.arange(40.0), "numeric", Drift(bins=128))
    assert len(bins.edges) == 6


def test_masked_arrays_tell_null_from_nan():
    bins = bins_from(np.arange(100.0), "numeric", DRIFT)
    values = np.ma.MaskedArray([1.0, np.nan, 3.0], mask=[False, False, True])
    counts = count(values, bins)[0]
    assert (counts[bins.null], counts[bins.null + 1]) == (1, 1)


def test_text_in_a_number_is_counted_as_not_a_number():
    bins = bins_from(np.arange(100.0), "numeric", DRIFT)
    counts = count(column(["12", "abc", None, 1]), bins)[0]
    assert (counts[bins.null], counts[bins.null + 1], counts.sum()) == (1, 1, 4)


def test_every_null_of_pandas_is_null():
    bins = bins_from(["a", "a", "b", "b"], "categorical", DRIFT)
    values = column([None, np.nan, float("nan"), pd.NA, pd.NaT, "a"])
    counts = count(values, bins)[0]
    assert (counts[bins.null], counts[0]) == (5, 1)
    numbers = bins_from(np.arange(100.0), "numeric", DRIFT)
    assert count(pd.Series([1, None], dtype="Int64"), numbers)[0][numbers.null] == 1


def test_numbers_as_categories_are_the_same_in_any_type():
    bins = bins_from(np.array([1, 1, 0, 0]), "categorical", DRIFT)
    for values in ([1, 0], [1.0, 0.0], ["1", "0"], column([1, "0"]), np.array([1, 0], np.int8)):
        assert count(values, bins)[0].tolist() == [1, 1, 0, 0, 0]
    floats = np.array([1.0, np.nan, 0.0, 7.0])
    assert count(floats, bins)[0].tolist() == [1, 1, 0, 1, 1]
    assert bins_from([True, True], "categorical", DRIFT).categories == ("true",)
    dates = [dt.date(2024, 1, 1)] * 2
    assert bins_from(dates, "categorical", DRIFT).categories == ("2024-01-01",)


def test_known_but_unnamed_categories_are_not_unseen():
    bins = bins_from(list("aaaabbbccddee"), "categorical", DRIFT)
    assert bins.categories == ("a", "b", "c")
    assert count(["a", "d", "e", "z", None], bins)[0].tolist() == [1, 0, 0, 2, 1, 1]
    assert count_categories({"a": 5, "d": 2, "z": 1, None: 3}, bins).tolist() == [5, 0, 0, 2, 1, 3]


def test_singletons_tell_the_share_of_unseen_to_expect():
    rng = np.random.default_rng(3)
    weights = 1 / np.arange(1, 3001)
    draw = lambda n: rng.choice(3000, n, p=weights / weights.sum()).astype(str).astype(object)  # noqa: E731
    reference, current = draw(5000), draw(5000)
    side = np.where(np.arange(5000) < 2000, "l", "r")
    profile = build({"x": reference}, {"x": "categorical"}, Drift(), segments={"side": side})
    expected = profile.columns["x"]
    assert expected.rows == 5000
    unseen = len(expected.bins.categories) + 1
    found = count(current, expected.bins)[0]
    assert found[unseen] == pytest.approx(expected.counts[unseen], rel=0.15)
    slices = [held["x"].counts for held in profile.segments.values()]
    assert (sum(slices) == expected.counts).all()
    assert slices[1][unseen] > 100


def test_a_column_of_too_many_values_calls_nothing_unseen():
    bins = bins_from([str(i) for i in range(500)], "categorical", Drift(max_categories=2))
    assert bins.open_ended
    assert count(["x"], bins)[0].tolist() == [1, 0, 0]


def test_text_is_counted_by_length_with_empty_apart():
    bins = bins_from(["a" * n for n in range(1, 100)], "text", DRIFT)
    got = tally(column(["", "  ", None, "abc", "a" * 500]), bins)
    assert got.counts[0][bins.null :].tolist() == [1, 2]
    assert got.counts[0][bins.values - 1] == 1
    assert got.sums.sum() == 503


@pytest.mark.parametrize("kind", ["numeric", "categorical", "text"])
def test_a_column_without_values_still_has_cells(kind):
    bins = bins_from(column([None] * 5), kind, DRIFT)
    assert count(column([None, None]), bins)[0][bins.null] == 2
    assert count(["1"], bins)[0].sum() == 1


@settings(max_examples=30, deadline=None)
@given(NUMBERS, TEXTS)
def test_bins_survive_json(numbers, texts):
    import json

    for values, kind in ((numbers, "numeric"), (texts, "categorical"), (texts, "text")):
        bins = bins_from(column(values), kind, DRIFT)
        again = ColumnBins.from_dict(json.loads(json.dumps(bins.to_dict(), allow_nan=False)))
        assert again == bins
        assert [bins.label(i) for i in range(bins.size)]
