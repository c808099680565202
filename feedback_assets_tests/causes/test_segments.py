"""New and vanished segment values, and when it is luck."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.causes import segment_findings
from feedback_assets.causes.segments import vanishing_chance


def found(values, before, after, alpha=0.05, **options):
    return segment_findings("2024-02-01", "origin", values, before, after, alpha, **options)


def test_a_new_and_a_vanished_value_are_told_in_words() -> None:
    new, gone = found(["EWR", "JFK", "LGA"], [500, 0, 40], [300, 200, 0])
    assert (new.kind, new.subject) == ("new_segment", "origin=JFK")
    assert new.text == "origin JFK is new: 200 of 500 rows, none in 540 before"
    assert new.value == pytest.approx(0.4)
    assert new.evidence == pytest.approx(200 * np.log(1040 / 500) - np.log(3))
    assert (gone.kind, gone.subject) == ("vanished_segment", "origin=LGA")
    assert gone.text == "origin LGA has vanished: no row in 500, 40 of 540 before"


def test_a_rare_value_that_is_not_there_has_not_vanished() -> None:
    assert found(["EWR", "LGA"], [10_000, 3], [1000, 0]) == []
    assert found(["EWR", "LGA"], [1000, 0], [1000, 2]) == []
    assert found(["EWR", "LGA"], [100_000, 0], [100, 2], min_rows=3) == []


def test_a_sunday_flight_has_not_vanished_on_monday() -> None:
    days = np.full((28, 2), [500, 0])
    days[::7, 1] = 60
    assert found(["EWR", "SUN"], days, [500, 0]) == []
    # The same rows spread evenly would be missed.
    even = np.full((28, 2), [500, 9])
    assert [f.kind for f in found(["EWR", "SUN"], even, [500, 0])] == ["vanished_segment"]
    # And a month without is more than luck.
    assert len(found(["EWR", "SUN"], days, np.full((60, 2), [500, 0]))) == 1


def test_the_chance_is_scipys_beta_binomial() -> None:
    from scipy.stats import betabinom, binom

    before = np.array([[90, 10], [80, 20], [100, 0], [85, 15]])
    rows = np.array([50, 30])
    share, n = (before.sum(axis=0) + 0.5) / 401, 400
    squares = ((before - 100 * share) ** 2).sum(axis=0)
    rho = (squares - n * share * (1 - share)) / (4 * 100 * 99 * share * (1 - share))
    a, b = share * (1 - rho) / rho, (1 - share) * (1 - rho) / rho
    expected = sum(betabinom.logpmf(0, k, a, b) for k in rows)
    assert vanishing_chance(before, rows) == pytest.approx(expected)
    # Many equal days: the binomial.
    even = np.tile([[900, 100]], (500, 1))
    assert vanishing_chance(even, np.array([20]))[1] == pytest.approx(
        binom.logpmf(0, 20, 0.1), rel=1e-2
    )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 50), min_size=4, max_size=4), min_size=1, max_size=6),
    st.lists(st.integers(0, 50), min_size=4, max_size=4),
)
def test_only_values_absent_on_one_side_are_found(
    before: list[list[int]], after: list[int]
) -> None:
    names = ["a", "b", "c", "d"]
    was, now = np.sum(before, axis=0), np.array(after)
    for finding in found(names, before, after):
        at = names.index(finding.subject.removeprefix("origin="))
        assert (was[at] == 0) == (finding.kind == "new_segment")
        assert (now[at] == 0) == (finding.kind == "vanished_segment")
        assert finding.evidence >= -np.log(0.05)


def test_an_empty_period_claims_nothing() -> None:
    assert found(["EWR"], [0], [100]) == []
    assert found(["EWR"], [100], [0]) == []
    assert found([], [], []) == []


def test_clean_days_hardly_ever_lose_a_value() -> None:
    rng = np.random.default_rng(0)
    share = np.array([0.9, 0.07, 0.02, 0.007, 0.003])
    periods = 200
    names = list("abcde")
    false = sum(
        bool(found(names, rng.multinomial(300, share, 14), rng.multinomial(300, share, 2)))
        for _ in range(periods)
    )
    # 10 expected at most.
    assert false <= 18
