import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from feedback_assets.drift import exact, exact_order, exact_source
from feedback_assets.drift.exact import Frame, ParquetFiles, exact_statistics
from feedback_assets.drift.exact_order import compare, of_ordered_bits, ordered_bits

TENTHS = np.linspace(0, 1, 11)
SHAPES = {
    "normal": lambda rng, n, s: rng.normal(s, 1, n),
    "far from zero": lambda rng, n, s: 1e9 + rng.normal(s, 1, n),
    "skewed": lambda rng, n, s: rng.lognormal(s, 3, n),
    "heavy tails": lambda rng, n, s: rng.standard_cauchy(n) ** 3 + s,
    "whole numbers": lambda rng, n, s: rng.poisson(3 + s, n).astype(float),
    "many zeros": lambda rng, n, s: np.where(rng.random(n) < 0.5, 0, rng.lognormal(s, 2, n)),
    "two values": lambda rng, n, s: (rng.random(n) < 0.3 + s / 20).astype(float),
    "one value": lambda rng, n, s: np.full(n, 3.0 + s),
}


def check(ref, cur):
    """Against scipy on the raw values, and against a plain count."""
    with np.errstate(all="ignore"):
        found = compare(lambda: [ref], lambda: [cur], TENTHS)
    assert found.ks == pytest.approx(stats.ks_2samp(ref, cur, method="asymp").statistic, abs=1e-12)
    moved = stats.wasserstein_distance(ref, cur)
    assert found.wasserstein == pytest.approx(moved, rel=1e-9, abs=1e-12 * np.abs(ref).max())
    assert found.sd_ref == pytest.approx(ref.std(), rel=1e-7, abs=1e-9 * np.abs(ref).max())
    for counts, side in ((found.counts_ref, ref), (found.counts, cur)):
        cells = np.searchsorted(found.edges, side, side="right")
        assert counts.tolist() == np.bincount(cells, minlength=len(found.edges) + 1).tolist()
    assert found.counts_ref[0] == found.counts_ref[-1] == 0
    return found


@pytest.mark.parametrize("shift", [0, 0.1, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_order_statistics_are_those_of_scipy(shape, shift):
    rng = np.random.default_rng(len(shape))
    for n, m in ((3, 5), (400, 900), (20_000, 15_000)):
        check(SHAPES[shape](rng, n, 0), SHAPES[shape](rng, m, shift))


VALUES = st.lists(
    st.one_of(st.integers(-3, 3).map(float), st.floats(-1e9, 1e9)), min_size=1, max_size=40
)


@settings(max_examples=40, deadline=None)
@given(VALUES, VALUES, st.integers(1, 400))
def test_any_values_in_any_chunks(ref, cur, repeat):
    ref, cur = np.repeat(ref, repeat), np.array(cur)
    whole = check(ref, cur)
    pieces = compare(lambda: np.array_split(ref, 3), lambda: np.array_split(cur, 2)[::-1], TENTHS)
    assert pieces.ks == whole.ks
    largest = max(np.abs(ref).max(), np.abs(cur).max())
    assert pieces.wasserstein == pytest.approx(whole.wasserstein, abs=1e-9 * largest)


def test_few_values_are_looked_at_again(monkeypatch):
    """The method's point: a large clean or shifted column is settled without sorting it."""
    held = []
    hold = exact_order._hold
    monkeypatch.setattr(exact_order, "_hold", lambda *a: held.append(hold(*a)) or held[-1])
    rng = np.random.default_rng(0)
    ref = rng.normal(size=300_000)
    for cur in (rng.normal(size=300_000), rng.normal(0.2, 1, 300_000)):
        compare(lambda: [ref], lambda cur=cur: [cur], TENTHS)
    assert sum(len(side.x) for side in held[:2]) < 0.4 * 600_000
    assert sum(len(side.x) for side in held[2:]) < 0.05 * 600_000


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2))
def test_ordered_bits_keep_the_order_and_come_back(values):
    x = np.sort(np.array(values)) + 0.0
    bits = ordered_bits(x)
    assert (bits[1:] >= bits[:-1]).all()
    assert (of_ordered_bits(bits) == x).all()


@pytest.fixture
def files(tmp_path):
    """A reference in two files and a current table with nulls, NaN and a new category."""
    rng = np.random.default_rng(1)
    n = 3_000

    def table(shift, names):
        x = rng.normal(shift, 1, n)
        x[:30] = np.nan
        return pa.table(
            {
                "x": pa.array(x, mask=np.arange(n) >= n - 60),
                "i": pa.array(rng.integers(0, 9, n).astype(np.int32)),
                "b": pa.array(rng.random(n) < 0.4),
                "c": pa.array(rng.choice(names, n), mask=rng.random(n) < 0.1),
                "t": pa.array([" ", None, "two words", "ä"] * (n // 4)),
            }
        )

    tables = [table(0, ["a", "b"]), table(0, ["a", "b"]), table(0.5, ["a", "b", "<b>"])]
    paths = []
    for number, each in enumerate(tables):
        paths.append(tmp_path / f"{number}.parquet")
        pq.write_table(each, paths[-1], row_group_size=1_000)
    return paths, pa.concat_tables(tables[:2]).to_pandas(), tables[2].to_pandas()


KINDS = {"x": "numeric", "i": "numeric", "b": "numeric", "c": "categorical", "t": "text"}


def test_parquet_files_give_what_the_raw_values_give(files):
    paths, ref, cur = files
    found = exact_statistics(ParquetFiles(paths[:2]), ParquetFiles(paths[2:]), KINDS)
    assert list(found) == list(KINDS)
    for name in ("x", "i", "b"):
        a, b = (side[name].dropna().to_numpy(float) for side in (ref, cur))
        assert found[name].ks == pytest.approx(stats.ks_2samp(a, b, method="asymp").statistic)
        moved = stats.wasserstein_distance(a, b)
        assert found[name].wasserstein == pytest.approx(moved, abs=1e-9)
        assert found[name].wasserstein_sd == pytest.approx(moved / a.std(), abs=1e-9)
        table = np.array([found[name].counts_ref, found[name].counts])
        table = table[:, table.sum(axis=0) > 0]
        assert found[name].chi2 == pytest.approx(stats.chi2_contingency(table, False).statistic)
        assert found[name].js == pytest.approx(jensenshannon(*table, base=2), abs=1e-9)
    assert found["x"].counts[-2:] == (60, 30)
    assert found["x"].null_share == pytest.approx(0.03)
    p = stats.kstwobign.sf(found["x"].ks * math.sqrt(5_820 * 2_910 / 8_730))
    assert found["x"].ks_p == pytest.approx(p, rel=1e-6, abs=1e-12)
    c = pd.DataFrame(
        {"ref": ref["c"].value_counts(dropna=False), "cur": cur["c"].value_counts(dropna=False)}
    )
    table = c.fillna(0).to_numpy().T
    assert found["c"].chi2 == pytest.approx(stats.chi2_contingency(table, False).statistic)
    assert found["c"].js == pytest.approx(jensenshannon(*table, base=2), abs=1e-9)
    assert found["c"].outside_share == pytest.approx(
        (cur["c"] == "<b>").sum() / cur["c"].notna().sum()
    )
    assert found["t"].counts[-2:] == (750, 750)
    assert found["t"].mean == pytest.approx(5)


def test_memory_and_files_answer_the_same(files):
    paths, ref, cur = files
    stored = exact_statistics(ParquetFiles(paths[:2]), ParquetFiles(paths[2:]), KINDS)
    in_memory = exact_statistics(Frame(ref), Frame(cur), KINDS)
    for name in ("i", "b", "c", "t"):
        assert in_memory[name] == pytest.approx(stored[name]) or in_memory[name] == stored[name]
    assert in_memory["x"].wasserstein == stored["x"].wasserstein


def test_a_column_too_long_for_memory_is_read_again(files, monkeypatch):
    paths, *_ = files
    sides = ParquetFiles(paths[:2]), ParquetFiles(paths[2:])
    kept = exact_statistics(*sides, KINDS)
    monkeypatch.setattr(exact_source, "MAX_KEPT", 100)
    again = exact_statistics(*sides, KINDS)
    for name in ("x", "i", "t"):
        assert again[name].ks == kept[name].ks
        assert again[name].counts == kept[name].counts
        assert again[name].wasserstein == pytest.approx(kept[name].wasserstein, rel=1e-12)


def test_ugly_columns_are_answered(files):
    paths, ref, _ = files
    nothing = pd.DataFrame(
        {"x": [None] * 50, "c": [None] * 50, "u": ["one", 2, None, 3.5, "x"] * 10}
    )
    found = exact_statistics(Frame(ref), Frame(nothing), {"x": "numeric", "c": "categorical"})
    assert math.isnan(found["x"].ks)
    assert found["x"].reason == "the current rows hold no value"
    assert found["x"].null_share == found["c"].null_share == 1
    assert found["x"].psi > 2
    assert found["c"].psi > 2
    mixed = exact_statistics(Frame(nothing), Frame(nothing), {"u": "numeric"})["u"]
    assert mixed.counts[-2:] == (10, 20)
    missing = exact_statistics(ParquetFiles(paths[:1]), ParquetFiles(paths[1:2]), {"no": "numeric"})
    assert missing["no"].null_share == 1
    assert missing["no"].reason


def test_too_many_categories_are_refused(monkeypatch):
    monkeypatch.setattr(exact_source, "MAX_CATEGORIES", 10)
    frame = Frame(pd.DataFrame({"c": [f"id {i}" for i in range(50)]}))
    found = exact_statistics(frame, frame, {"c": "categorical"})["c"]
    assert math.isnan(found.psi)
    assert "different values" in found.reason


def test_psi_is_the_closed_form():
    """Lognormal, sigma 2, moved by 0.6 sd of its logarithm: 0.36; beyond the range: large."""
    rng = np.random.default_rng(0)
    ref = pd.DataFrame({"x": rng.lognormal(0, 2, 50_000)})
    cur = pd.DataFrame({"x": rng.lognormal(1.2, 2, 50_000)})
    psi = exact_statistics(Frame(ref), Frame(cur), {"x": "numeric"})["x"].psi
    assert psi == pytest.approx(0.36, abs=0.03)
    out = ref.copy()
    out.loc[:15_000, "x"] = 1e9
    assert exact_statistics(Frame(ref), Frame(out), {"x": "numeric"})["x"].psi > 2


def test_only_the_statistics_are_the_package_api():
    assert set(exact.__all__) == {
        "Batches", "ExactStatistics", "Frame", "ParquetFiles", "exact_statistics",
    }  # fmt: skip
