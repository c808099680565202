"""Do the drift verdicts keep their word? Minutes of simulation: make study."""

import statistics

import pytest

from feedback_assets_tests.studies.worlds import delay, normal, nulls, seasonal, unseen, verdicts

pytestmark = pytest.mark.study
SEEDS = range(20)


def test_half_years_of_thirty_clean_columns_stay_quiet():
    alarmed, said = 0, 0
    for seed in SEEDS:
        found = verdicts(seed, 180)
        alarmed += any(day.drifted for day in found)
        said += any(c.status == "immaterial" for day in found for c in day.columns)
    assert alarmed <= 1
    assert said <= 1, "a change of any size was claimed where there was none"


@pytest.mark.parametrize("at", [0, 60])
@pytest.mark.parametrize(
    ("column", "kind", "days"),
    [
        pytest.param(normal(0.3), "numeric", 2, id="0.3 sd"),
        pytest.param(normal(0.5), "numeric", 1, id="0.5 sd"),
        pytest.param(nulls(0.01, 0.05), "numeric", 4, id="null 1 to 5%"),
        pytest.param(unseen(0.02), "categorical", 3, id="unseen 2%"),
    ],
)
def test_changes_are_found_in_days(column, kind, days, at):
    delays = [delay(verdicts(100 + s, at + 8, column, kind, at), at) for s in SEEDS]
    assert statistics.median(delays) <= days, delays
    assert sum(d <= days for d in delays) >= 0.8 * len(delays), delays
    assert max(delays) <= 2 * days + 1, delays


def test_an_immaterial_shift_is_never_material():
    for seed in SEEDS:
        assert delay(verdicts(200 + seed, 60, normal(0.05)), 0) == 999


@pytest.mark.parametrize("amplitude", [0.1, 0.3, 1.0])
def test_a_week_that_the_reference_has_raises_no_alarm(amplitude):
    alarms = [seed for seed in SEEDS if any(d.drifted for d in seasonal(seed, 180, amplitude))]
    assert len(alarms) <= 1
