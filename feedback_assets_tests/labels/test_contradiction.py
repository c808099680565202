"""Evidence against honest principals stays small; against false ones it grows."""

import numpy as np
import numpy.typing as npt
import pytest

from feedback_assets.labels.contradiction import evidence

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def honest(
    rng: np.random.Generator, principals: int, each: int, k: int = 2
) -> tuple[Floats, Ints, Ints]:
    """Labels drawn from the very probabilities that are taught."""
    p = rng.dirichlet(np.full(k, 0.6), principals * each)
    said = (rng.random((len(p), 1)) > p.cumsum(axis=1)).sum(axis=1).clip(0, k - 1)
    return p, said.astype(np.int64), np.repeat(np.arange(principals), each)


@pytest.mark.parametrize("k", [2, 4])
def test_honest_principals_are_rarely_suspected(k: int) -> None:
    p, said, who = honest(np.random.default_rng(3), 3_000, 40, k)
    found = evidence(p, said, who, 3_000)
    # An e-value exceeds x with a chance of at most 1 / x.
    for x in (10, 100):
        assert (found.total > np.log(x)).mean() <= 1 / x
    assert np.exp(found.total).mean() <= 1


def test_slips_are_forgiven() -> None:
    rng = np.random.default_rng(4)
    p, said, who = honest(rng, 200, 400)
    slipped = np.where(rng.random(len(said)) < 0.14, 1 - said, said)
    assert (evidence(p, slipped, who, 200).total > np.log(1e4)).sum() == 0


@pytest.mark.parametrize("only", [None, 0, 1])
def test_false_labels_are_found_whichever_class_is_changed(only: int | None) -> None:
    rng = np.random.default_rng(5)
    p, said, who = honest(rng, 50, 300)
    false = (who < 5) & (rng.random(len(said)) < 0.7)
    false &= True if only is None else said == only
    found = evidence(p, np.where(false, 1 - said, said), who, 50).total
    assert found[:5].min() > np.log(1e6)
    assert found[5:].max() < np.log(100)


@pytest.mark.parametrize("from_row", [0, 200])
def test_other_rows_are_no_lies(from_row: int) -> None:
    rng = np.random.default_rng(8)
    p, said, who = honest(rng, 60, 400)
    # A region (or a week) in which the class is rarer than the others teach.
    odds = p[:, 1] / p[:, 0] * np.exp(-1.2)
    other = (rng.random(len(p)) < odds / (1 + odds)).astype(np.int64)
    said = np.where((np.arange(len(p)) % 400 >= from_row) & (who < 30), other, said)
    assert evidence(p, said, who, 60).total.max() < np.log(100)


def test_a_turn_is_dated() -> None:
    p, said, who = honest(np.random.default_rng(6), 3, 400)
    place = np.arange(len(said)) % 400
    said = np.where((who == 1) & (place >= 300), 1 - said, said)
    found = evidence(p, said, who, 3)
    assert found.turned[1] > found.always[1] + np.log(1e3)
    assert abs(found.since[1] - 700) < 10
    assert found.total[[0, 2]].max() < np.log(100)


def test_evidence_of_one_does_not_depend_on_others() -> None:
    p, said, who = honest(np.random.default_rng(7), 3, 50)
    one = evidence(p[50:100], said[50:100], np.zeros(50, np.int64), 1)
    every = evidence(p, said, who, 3)
    assert every.total[1] == pytest.approx(one.total[0])
    assert every.since[1] == one.since[0] + 50
