"""Agreement beyond chance: published examples, sklearn and statsmodels, coverage of the intervals."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, fleiss_kappa

from feedback_assets.labels.agreement import Agreement, krippendorff
from feedback_assets.labels.kappa import couples, kappas
from feedback_assets.labels.votes import Votes

# Krippendorff (2011), "Computing Krippendorff's alpha-reliability", example C: four observers and
# twelve units, 0 where nobody looked. Published: nominal 0.743, interval 0.849.
EXAMPLE_C = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3),
    (0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0),
)


def long(table: tuple[tuple[int, ...], ...]) -> tuple[list[int], list[int], list[int]]:
    cells = [(u, o, v) for o, row in enumerate(table) for u, v in enumerate(row) if v]
    return tuple(list(column) for column in zip(*cells, strict=True))  # type: ignore[return-value]


def test_published_alphas() -> None:
    units, _, values = long(EXAMPLE_C)
    assert krippendorff(units, values).alpha == pytest.approx(0.743, abs=5e-4)
    assert krippendorff(units, values, "interval").alpha == pytest.approx(0.849, abs=5e-4)
    assert krippendorff(units, values).items == 11
    # Example B: two observers, nominal with more than two classes. Published: 0.692.
    b = ("aabbdcccedda", "babbbccceddd")
    told = krippendorff([*range(12), *range(12)], list(b[0] + b[1]))
    assert told.alpha == pytest.approx(0.692, abs=5e-4)


def test_large_numbers_lose_no_digits() -> None:
    units, _, values = long(EXAMPLE_C)
    far = np.array(values) * 1e-3 + 1e6
    near = krippendorff(units, values, "interval").alpha
    assert krippendorff(units, far, "interval").alpha == pytest.approx(near, abs=1e-6)


def test_where_nothing_tells_nothing_is_said() -> None:
    assert krippendorff([1, 2, 3], ["a", "b", "a"]).items == 0
    assert math.isnan(krippendorff([1, 2, 3], ["a", "b", "a"]).alpha)
    assert math.isnan(krippendorff([1, 1, 2, 2], ["a", "a", "a", "a"]).alpha)
    assert math.isnan(krippendorff([], []).alpha)


def test_perfect_agreement_leaves_open_what_few_items_hide() -> None:
    few = krippendorff(np.repeat(range(10), 2), np.repeat(["a", "b"] * 5, 2))
    many = krippendorff(np.repeat(range(1000), 2), np.repeat(["a", "b"] * 500, 2))
    assert few.alpha == many.alpha == 1
    assert few.low < 0.5 < 0.98 < many.low < 1


@pytest.mark.parametrize("level", ["nominal", "interval"])
def test_intervals_cover(level: str) -> None:
    def draw(items: int, seed: int) -> Agreement:
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 3, items)
        said = np.where(rng.random((3, items)) < 0.8, truth, rng.integers(0, 3, (3, items)))
        kept = rng.random((3, items)) < 0.8
        person, item = np.nonzero(kept)
        return krippendorff(item, said[person, item], level)  # type: ignore[arg-type]

    true = draw(200_000, 1).alpha
    covered = [(told := draw(100, seed)).low <= true <= told.high for seed in range(300)]
    assert 0.91 <= np.mean(covered) <= 0.985


def pair(seed: int, rows: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, rows)
    first = np.where(rng.random(rows) < 0.7, truth, rng.integers(0, 4, rows))
    return first, np.where(rng.random(rows) < 0.6, truth, rng.integers(0, 3, rows))


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_sklearns_with_statsmodels_interval(seed: int) -> None:
    first, second = pair(seed)
    items = [*range(len(first))] * 2
    people = ["a"] * len(first) + ["b"] * len(first)
    votes = Votes.of(items, people, [*first.tolist(), *second.tolist()])
    (row,) = kappas(votes, couples(votes)).to_dict("records")
    counts = np.zeros((4, 4))
    np.add.at(counts, (first, second), 1)
    theirs = cohens_kappa(counts)
    assert row["kappa"] == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)
    assert row["low"] == pytest.approx(theirs.kappa_low, abs=1e-12)
    assert row["high"] == pytest.approx(theirs.kappa_upp, abs=1e-12)
    assert row["agreed"] == pytest.approx((first == second).mean())
    assert row["rows"] == 200


def test_every_pair_by_what_both_answered() -> None:
    units, people, values = long(EXAMPLE_C)
    votes = Votes.of(units, [f"p{p}" for p in people], values)
    made = kappas(votes, couples(votes)).set_index(["first", "second"])
    assert len(made) == 6
    for (a, b), row in made.iterrows():
        one, two = EXAMPLE_C[int(a[1])], EXAMPLE_C[int(b[1])]
        both = [(x, y) for x, y in zip(one, two, strict=True) if x and y]
        assert row["rows"] == len(both)
        assert row["kappa"] == pytest.approx(cohen_kappa_score(*zip(*both, strict=True)))


def test_alpha_is_near_fleiss_with_many_items() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 4_000)
    said = np.where(rng.random((5, 4_000)) < 0.7, truth, rng.integers(0, 3, (5, 4_000)))
    fleiss = fleiss_kappa(aggregate_raters(said.T)[0])
    told = krippendorff(np.tile(np.arange(4_000), 5), said.ravel())
    assert told.alpha == pytest.approx(fleiss, abs=1e-4)


def test_one_person_is_no_couple() -> None:
    votes = Votes.of(["r", "r", "s"], ["a", "a", "b"], ["1", "0", "1"])
    assert len(couples(votes).first) == 0
    assert kappas(votes, couples(votes)).empty


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 2)), max_size=60))
def test_couples_are_those_of_a_loop(rows: list[tuple[int, int, int]]) -> None:
    rows = list({(item, who): (item, who, said) for item, who, said in rows}.values())
    if not rows:
        return
    votes = Votes.of(*map(list, zip(*rows, strict=True)))
    found = couples(votes)
    made = {
        frozenset((a, b)) for a, b in zip(found.first.tolist(), found.second.tolist(), strict=True)
    }
    slow = {
        frozenset((a, b)) for a in range(len(rows)) for b in range(a) if rows[a][0] == rows[b][0]
    }
    assert made == slow
    assert len(found.first) == len(slow)
