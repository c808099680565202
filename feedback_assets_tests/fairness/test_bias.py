"""Groups of a protected attribute: fairlearn's numbers, honest intervals, no verdict on a handful."""

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_ratio,
    equal_opportunity_difference,
    selection_rate,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.errors import GateError
from feedback_assets.fairness.bias import Bias, bias

OPTIONS = {"min_rows": 30, "confidence": 0.95, "resamples": 2_000, "seed": 1}


def people(n: int, seed: int = 0, gap: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, answers and groups; group `b` is answered yes less often by `gap`."""
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b"], n)
    label = (rng.random(n) < 0.5).astype(int)
    answer = (rng.random(n) < np.where(label == 1, 0.8, 0.3) - gap * (group == "b")).astype(int)
    return label, answer, group


def seen(label: np.ndarray, answer: np.ndarray, group: np.ndarray, **options: float) -> Bias:
    return bias(label, {"m": answer}, group, **{**OPTIONS, **options})  # type: ignore[arg-type]


def test_figures_are_fairlearns() -> None:
    label, answer, group = people(1_000, gap=0.2)
    found = seen(label, answer, group).models["m"]
    impact = demographic_parity_ratio(label, answer, sensitive_features=group)
    gap = equal_opportunity_difference(label, answer, sensitive_features=group)
    assert found.disparate_impact.value == pytest.approx(impact)
    assert found.equal_opportunity_difference.value == pytest.approx(gap)
    assert found.disparate_impact.lower < impact < found.disparate_impact.upper < 0.85
    assert 0.1 < found.equal_opportunity_difference.lower < gap


def test_by_hand() -> None:
    group = np.repeat(["a", "b"], 10)
    label = np.array([1] * 5 + [0] * 5 + [1] * 5 + [0] * 5)
    answer = np.array([1] * 5 + [1] * 3 + [0] * 2 + [1] * 3 + [0] * 7)
    found = seen(label, answer, group, min_rows=5)
    assert found.models["m"].disparate_impact.value == pytest.approx(3 / 8)
    assert found.models["m"].equal_opportunity_difference.value == pytest.approx(2 / 5)
    entry = found.to_dict("sex", "1")
    assert entry["groups"][1] == {
        "group": "b", "rows": 10, "positives": 5, "judged": True,
        "selection_rate": {"m": pytest.approx(0.3)}, "true_positive_rate": {"m": pytest.approx(0.6)},
    }  # fmt: skip


def test_interval_is_that_of_fairlearns_own_bootstrap() -> None:
    """Drawing cells from a multinomial is drawing rows: the same interval at a hundredth of the cost."""
    label, answer, group = people(600, seed=4, gap=0.2)
    frame = MetricFrame(
        metrics=selection_rate, y_true=label, y_pred=answer, sensitive_features=group,
        n_boot=200, ci_quantiles=[0.05, 0.95], random_state=3,
    )  # fmt: skip
    low, high = (float(v) for v in frame.ratio_ci())
    mine = seen(label, answer, group).models["m"].disparate_impact
    assert (mine.lower, mine.upper) == pytest.approx((low, high), abs=0.025)


def test_the_interval_covers_the_truth() -> None:
    """Both groups differ by 0.2 in truth; nine in ten intervals must hold it."""
    truth = (0.55 - 0.2) / 0.55
    hits = 0
    for seed in range(60):
        found = seen(*people(800, seed, gap=0.2), resamples=300).models["m"].disparate_impact
        hits += found.lower <= truth <= found.upper
    assert hits >= 0.82 * 60


def test_a_handful_is_shown_not_judged() -> None:
    label, answer, names = people(400)
    group = names.astype(object)
    label[:9], answer[:9], group[:9] = 1, 0, "few"
    found = seen(label, answer, group)
    without = seen(label[9:], answer[9:], group[9:])
    few = found.to_dict("x", "1")["groups"][-1]
    assert (few["group"], few["rows"], few["judged"]) == ("few", 9, False)
    assert few["selection_rate"]["m"] == 0
    mine, other = found.models["m"], without.models["m"]
    assert mine.disparate_impact.value == other.disparate_impact.value > 0.5
    assert mine.equal_opportunity_difference.value == other.equal_opportunity_difference.value


def test_few_positives_say_nothing_of_equal_opportunity() -> None:
    label, answer, group = people(400)
    label[group == "b"] = 0
    label[np.flatnonzero(group == "b")[:5]] = 1
    found = seen(label, answer, group).models["m"]
    assert np.isnan(found.equal_opportunity_difference.value)
    assert np.isfinite(found.disparate_impact.value)


@pytest.mark.parametrize(
    ("answers", "groups"), [([0] * 100, ["a", "b"] * 50), ([1] * 100, ["a"] * 100), ([1] * 100, [None] * 100)]
)  # fmt: skip
def test_what_can_not_be_said_is_not_known(answers: list[int], groups: list[str | None]) -> None:
    """Nobody gets the answer; one group only; no group known: never 'alike'."""
    found = seen(np.array([0, 1] * 50), np.array(answers), np.array(groups, dtype=object))
    figure = found.models["m"].disparate_impact
    assert np.isnan([figure.value, figure.lower, figure.upper]).all()


def test_unknown_groups_are_counted_and_in_none() -> None:
    label, answer, group = people(200)
    held = group.astype(object)
    held[:20] = None
    found = seen(label, answer, held)
    assert found.unknown_rows == 20
    assert int(found.rows.sum()) == 180
    assert found.groups == tuple(pd.Series(held).value_counts().index)


def test_other_lengths_are_an_error() -> None:
    with pytest.raises(GateError, match="groups has 3 values for 2 labels"):
        bias([0, 1], {"m": [0, 1]}, ["a", "b", "a"], **OPTIONS)  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(
    cells=st.lists(
        st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), min_size=1, max_size=80
    ),
    shuffle=st.randoms(use_true_random=False),
)
def test_order_and_names_do_not_matter(
    cells: list[tuple[int, bool, bool]], shuffle: "np.random.Generator"
) -> None:
    group, label, answer = (np.array(part) for part in zip(*cells, strict=True))
    options = {"min_rows": 1, "resamples": 50}
    first = seen(label.astype(int), answer.astype(int), group, **options).models["m"]
    order = list(range(len(cells)))
    shuffle.shuffle(order)  # type: ignore[arg-type]
    named = np.array([f"g{9 - g}" for g in group])[order]
    second = seen(label[order].astype(int), answer[order].astype(int), named, **options).models["m"]
    for a, b in (
        (first.disparate_impact, second.disparate_impact),
        (first.equal_opportunity_difference, second.equal_opportunity_difference),
    ):
        assert a.value == pytest.approx(b.value, nan_ok=True)
        if np.isfinite(a.value):
            assert 0 <= a.value <= 1
            assert np.isnan(a.lower) or 0 <= a.lower <= a.upper <= 1
