"""Small, fast forms of the studies: few seeds, short stretches."""

import time

import pytest

from feedback_assets.config.judgement import Drift
from feedback_assets_tests.studies.worlds import delay, normal, nulls, seasonal, unseen, verdicts


def test_thirty_clean_columns_alarm_about_never():
    for seed in range(2):
        found = verdicts(seed, 60)
        assert not any(c.status != "stable" for day in found for c in day.columns)


def test_thirty_clean_columns_without_a_margin_alarm_about_never():
    found = verdicts(5, 60, drift=Drift(alpha=0.05, margin_sd=0, learn_margin=False))
    assert not any(day.drifted for day in found)


@pytest.mark.parametrize(
    ("column", "kind", "days"),
    [
        (normal(0.3), "numeric", 2),
        (normal(0.5), "numeric", 1),
        (nulls(0.01, 0.05), "numeric", 4),
        (unseen(0.02), "categorical", 3),
    ],
)
def test_changes_are_found_in_days(column, kind, days):
    found = [delay(verdicts(10 + s, 20, column, kind, 12), 12) for s in range(3)]
    assert sorted(found)[1] <= days


def test_an_immaterial_shift_is_not_material():
    assert delay(verdicts(3, 30, normal(0.05)), 0) == 999


def test_a_week_in_the_reference_raises_no_alarm():
    assert not any(day.drifted for day in seasonal(0, 60, 0.5, columns=5))


def test_a_quarter_of_thirty_columns_is_judged_again_in_a_second():
    """From tallies; the simulation itself is not counted."""
    from feedback_assets_tests.studies import worlds

    spent = []
    judged = worlds.judge

    def timed(*args):
        begin = time.process_time()
        found = judged(*args)
        spent.append(time.process_time() - begin)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worlds, "judge", timed)
        verdicts(0, 90)
    assert spent[0] <= 1.0
