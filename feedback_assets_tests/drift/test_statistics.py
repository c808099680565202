import doctest
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from feedback_assets.config.judgement import Drift
from feedback_assets.drift import bounds, ebh, eprocess
from feedback_assets.drift import statistics as s
from feedback_assets.drift.binning import bins_from, count, tally

COUNTS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=12
).filter(lambda pairs: sum(a for a, _ in pairs) > 0 and sum(b for _, b in pairs) > 0)


ALL = (s.psi, s.ks, s.js_distance, s.hellinger, s.g_statistic, s.chi2_statistic)


def sides(pairs):
    return np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])


@pytest.mark.parametrize("module", [s, bounds, ebh, eprocess])
def test_examples(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


@settings(max_examples=80, deadline=None)
@given(COUNTS)
def test_contingency_statistics_are_those_of_scipy(pairs):
    ref, cur = sides(pairs)
    used = (ref + cur) > 0
    table = np.array([ref[used], cur[used]])
    if used.sum() < 2:
        assert s.g_statistic(ref, cur) == s.chi2_statistic(ref, cur) == 0
        return
    g = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
    chi2 = stats.chi2_contingency(table, correction=False)
    assert s.g_statistic(ref, cur) == pytest.approx(g.statistic, abs=1e-9)
    assert s.chi2_statistic(ref, cur) == pytest.approx(chi2.statistic, abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(COUNTS)
def test_distances_are_those_of_scipy_where_every_value_has_a_cell(pairs):
    ref, cur = sides(pairs)
    at = np.arange(len(ref)) * 1.5 - 2
    raw = [np.repeat(at, side) for side in (ref, cur)]
    assert s.js_distance(ref, cur) == pytest.approx(jensenshannon(ref, cur, base=2), abs=1e-7)
    bits = jensenshannon(ref, cur, base=2) ** 2
    assert s.js_distance(ref, cur) ** 2 == pytest.approx(bits, abs=1e-9)
    assert s.ks(ref, cur) == pytest.approx(stats.ks_2samp(*raw, method="asymp").statistic, abs=1e-9)
    gaps = np.sqrt(cur / cur.sum()) - np.sqrt(ref / ref.sum())
    assert s.hellinger(ref, cur) == pytest.approx(np.linalg.norm(gaps) / np.sqrt(2), abs=1e-9)
    moved = s.wasserstein_normed(ref, ref * at, cur, cur * at)
    sd = raw[0].std()
    if sd > 0:
        assert moved == pytest.approx(stats.wasserstein_distance(*raw) / sd, abs=1e-9)
    else:
        assert math.isnan(moved)


@settings(max_examples=50, deadline=None)
@given(COUNTS)
def test_symmetric_and_zero_for_equal_shares(pairs):
    ref, cur = sides(pairs)
    for statistic in ALL:
        assert statistic(ref, cur) == pytest.approx(statistic(cur, ref))
        assert statistic(ref, cur) >= 0
    for statistic in (s.ks, s.js_distance, s.hellinger, s.g_statistic, s.chi2_statistic):
        assert statistic(ref, 3 * ref) == pytest.approx(0, abs=1e-6)


def test_no_rows_is_not_known():
    for statistic in ALL:
        assert math.isnan(statistic([0, 0], [1, 2]))
        assert math.isnan(statistic([1, 2], [0, 0]))
    assert math.isnan(s.chi2_goodness_p([0, 0], [1, 1]))
    assert math.isnan(s.wasserstein_normed([0], [0], [1], [1]))


def test_psi_of_a_normal_shift_is_close_to_its_closed_form():
    rng = np.random.default_rng(0)
    ref = rng.normal(size=200_000)
    bins = bins_from(ref, "numeric", Drift())
    for shift in (0.25, 0.5):
        cells = s.psi_cells(count(ref, bins)[0], bins)
        found = s.psi(
            s.gather(count(ref, bins)[0], cells), s.gather(count(ref + shift, bins)[0], cells)
        )
        assert 0.85 * shift**2 < found < 1.02 * shift**2


def test_psi_of_a_lognormal_shift_is_its_closed_form():
    """Jeffreys divergence of normals 0.6 sd apart is 0.36; equal-width bins gave 0.0007."""
    rng = np.random.default_rng(0)
    ref, cur = np.exp(2 * rng.normal(size=20_000)), np.exp(2 * (rng.normal(size=20_000) + 0.6))
    bins = bins_from(ref, "numeric", Drift())
    cells = s.psi_cells(count(ref, bins)[0], bins)
    found = s.psi(s.gather(count(ref, bins)[0], cells), s.gather(count(cur, bins)[0], cells))
    assert found == pytest.approx(0.36, abs=0.03)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 9)] * 4), min_size=1, max_size=5))
def test_days_together_are_the_days_apart(rows):
    ref, days = np.array([4, 0, 7, 2]), np.array(rows)
    at = np.array([-1.0, 0.0, 2.5, 9.0])
    together = [f(ref, days) for f in ALL]
    together.append(s.wasserstein_normed(ref, ref * at, days, days * at))
    for i, day in enumerate(days):
        apart = [f(ref, day) for f in ALL]
        apart.append(s.wasserstein_normed(ref, ref * at, day, day * at))
        assert [t[i] for t in together] == pytest.approx(apart, abs=1e-12, nan_ok=True)


def test_trap_traffic_outside_the_reference_counts_in_the_psi():
    """Bins on the reference's range gave 0.11 here, below the usual alarm at 0.2."""
    rng = np.random.default_rng(1)
    ref, cur = rng.normal(size=5000), rng.normal(size=5000)
    cur[:1500] = 50 + rng.normal(size=1500)
    bins = bins_from(ref, "numeric", Drift())
    a, b = count(ref, bins)[0], count(cur, bins)[0]
    cells = s.psi_cells(a, bins)
    assert s.psi(s.gather(a, cells), s.gather(b, cells)) > 2
    assert s.outside_share(b, bins) == pytest.approx(0.3, abs=0.005)
    inside = slice(1, bins.values - 1)
    assert s.psi(a[inside], b[inside]) < 0.2


def test_binned_ks_and_wasserstein_are_close_to_the_raw_ones():
    rng = np.random.default_rng(2)
    ref, cur = rng.gamma(2, size=8000), 1.2 * rng.gamma(2, size=3000) + 0.1
    bins = bins_from(ref, "numeric", Drift())
    a, b = tally(ref, bins), tally(cur, bins)
    raw = stats.ks_2samp(ref, cur).statistic
    assert raw - 2 / 128 <= s.ks(a.counts[0], b.counts[0]) <= raw
    found = s.wasserstein_normed(a.counts[0], a.sums[0], b.counts[0], b.sums[0])
    assert found == pytest.approx(stats.wasserstein_distance(ref, cur) / ref.std(), rel=0.03)


def test_psi_keeps_the_largest_categories_apart():
    ref = np.array([*range(40, 0, -1), 5, 0, 7])
    bins = bins_from(
        {f"c{i:02}": int(n) for i, n in enumerate(range(41, 1, -1))}, "categorical", Drift()
    )
    cells = s.psi_cells(ref, bins)
    assert len(set(cells[:20])) == 20
    assert len(set(cells[20:41])) == 1
    assert len({*cells[20:21], cells[41], cells[42]}) == 3


def oracle_cases():
    root = Path(os.environ.get("FEEDBACK_ASSETS_SHARED", Path(__file__).parents[3] / "shared"))
    path = root / "oracles" / "evidently_stattests.json"
    return json.loads(path.read_text())["cases"] if path.exists() else []


def on_common_cells(case):
    known = sorted({*case["reference"], *case["current"]}, key=str)
    return [
        np.array([side.count(v) for v in known]) for side in (case["reference"], case["current"])
    ]


def test_chi_square_goodness_of_fit_equals_the_peers():
    cases = [c for c in oracle_cases() if c["test"] == "chi_square"]
    if not cases:
        pytest.skip("no shared oracles (FEEDBACK_ASSETS_SHARED)")
    for case in cases:
        found = s.chi2_goodness_p(*on_common_cells(case))
        assert found == pytest.approx(case["expected"], abs=case["abs_tol"])


def test_psi_with_a_floor_equals_the_peers():
    cases = [c for c in oracle_cases() if c["test"] == "psi"]
    if not cases:
        pytest.skip("no shared oracles (FEEDBACK_ASSETS_SHARED)")
    for case in cases:
        found = s.psi(*on_common_cells(case), floor=1e-4)
        assert found == pytest.approx(case["expected"], abs=case["abs_tol"])


def peers(name):
    """Cases of one test of the peer.

    Its Fisher, z, t, Mann-Whitney, Anderson-Darling, Cramér-von-Mises, energy and permutation
    tests are not among our statistics: they need raw rows, or are p-values of a fixed day.
    """
    cases = [c for c in oracle_cases() if c["test"] == name]
    if not cases:
        pytest.skip("no shared oracles (FEEDBACK_ASSETS_SHARED)")
    return cases


def test_hellinger_equals_the_peers():
    for case in peers("hellinger"):
        found = s.hellinger(*on_common_cells(case))
        assert found == pytest.approx(case["expected"], abs=case["abs_tol"])


def test_g_of_an_endless_reference_is_the_peers():
    """The peer takes the reference's shares as exact (goodness of fit); ours is of two samples."""
    for case in peers("g_test"):
        ref, cur = on_common_cells(case)
        found = stats.chi2.sf(s.g_statistic(ref * 10**9, cur), len(ref) - 1)
        assert found == pytest.approx(case["expected"], abs=case["abs_tol"])


def test_distances_of_another_peer():
    """Its KS is ours on a cell per value; its Cramér's V is ours of chi-square, less its bias.

    Its Wasserstein is divided by the pooled range, ours by the reference's standard deviation.
    """
    root = Path(os.environ.get("FEEDBACK_ASSETS_SHARED", Path(__file__).parents[3] / "shared"))
    path = root / "oracles" / "deepchecks.json"
    if not path.exists():
        pytest.skip("no shared oracles (FEEDBACK_ASSETS_SHARED)")
    cases = json.loads(path.read_text())["cases"]
    for case in cases:
        if case["test"] == "cramers_v" and "min_category_size_ratio" not in case:
            names = sorted({*case["reference"], *case["current"]})
            ref, cur = ([case[side].get(n, 0) for n in names] for side in ("reference", "current"))
            found = cramers_v(s.chi2_statistic(ref, cur), sum(ref) + sum(cur), len(names))
            assert found == pytest.approx(case["expected"], abs=case["abs_tol"])
    assert s.ks([0, 100], [100, 0]) == 1.0
    at = np.arange(150.0)
    ref, cur = (at < 100).astype(int), (at >= 50).astype(int)
    moved = s.wasserstein_normed(ref, ref * at, cur, cur * at) * np.arange(100.0).std() / 149
    assert moved == pytest.approx(0.33, abs=0.01)
    rng = np.random.default_rng(0)
    values = rng.normal(size=10_000), rng.normal(1, 1, size=10_000)
    bins = bins_from(values[0], "numeric", Drift())
    assert s.ks(*(count(v, bins)[0] for v in values)) == pytest.approx(0.382, abs=0.015)


def cramers_v(chi2, rows, categories):
    phi2 = max(0.0, chi2 / rows - (categories - 1) / (rows - 1))
    sides = [k - (k - 1) ** 2 / (rows - 1) for k in (2, categories)]
    return math.sqrt(phi2 / (min(sides) - 1))
