import pytest

from feedback_assets.config.env import stray_overrides
from feedback_assets_tests.config.test_load import GOOD, load, problems

P = "FEEDBACK_ASSETS__SMALL__"


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("DRIFT__ALPHA", "0.5", lambda c: c.drift.alpha == 0.5),
        ("TRIGGER__REARM", "null", lambda c: c.trigger.rearm is None),
        ("TRIGGER__WHEN__NEW_LABELS", "70", lambda c: c.trigger.when.new_labels == 70),
        (
            "TRIGGER__WHEN__ANY",
            "[{every_days: 3}]",
            lambda c: c.trigger.when.any[0].every_days == 3,
        ),
        (
            "TRIGGER__OFFICE_HOURS__START",
            "08:30",
            lambda c: c.trigger.office_hours.start.minute == 30,
        ),
        ("LABEL__POSITIVE", "1", lambda c: c.label.positive == "1"),
        ("MODEL__ESTIMATOR", "linear", lambda c: c.model.estimator == "linear"),
        ("MODEL__PARAMS__MAX_ITER", "7", lambda c: c.model.params == {"max_iter": 7}),
        ("COLUMNS__NUMERIC", "a", lambda c: c.columns.numeric == ["a"]),
        ("DRIFT__IGNORE", "a, b", lambda c: c.drift.ignore == ["a", "b"]),
        ("DRIFT__IGNORE", "[a, b]", lambda c: c.drift.ignore == ["a", "b"]),
        ("COLUMNS__RULES__A__MIN", "3", lambda c: c.columns.rules["a"].min == 3),
        ("PARTITIONS__START", "2025-02-03", lambda c: c.partitions.start.year == 2025),
        ("SOURCE__PREDICTIONS__PATH", "/x: y", lambda c: c.source.predictions.path == "/x: y"),
        ("GATE__METRIC", "brier", lambda c: c.metric == "brier"),
        ("TITLE", "123", lambda c: c.title == "123"),
    ],
)
def test_a_variable_overrides_a_field(name, value, read):
    assert read(load(GOOD, {P + name: value}))


def test_keys_that_people_chose_keep_their_case():
    text = GOOD.replace("[a, b]", "[Temp, b]") + "model: {params: {C: 1.0}}\n"
    text = text.replace("label:", "  rules: {Temp: {max: 9}}\nlabel:")
    config = load(text, {P + "MODEL__PARAMS__C": "2", P + "COLUMNS__RULES__TEMP__MAX": "5"})
    assert config.model.params == {"C": 2}
    assert config.columns.rules["Temp"].max == 5


def test_a_misspelt_override_is_an_error_that_names_the_variable():
    (told,) = problems(GOOD, {P + "DRIFT__ALHPA": "0.1"})
    assert told.startswith(
        f"{P}DRIFT__ALHPA: unknown field ALHPA; did you mean ALPHA? Allowed: ALPHA,"
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("DRIFT", "name a field inside it: ALPHA"),
        ("DRIFT__ALPHA__X", "drift.alpha has no fields inside it"),
        ("DRFT__ALPHA", "did you mean DRIFT?"),
    ],
)
def test_a_wrong_path_is_an_error(name, told):
    assert told in problems(GOOD, {P + name: "1"})[0]


def test_a_wrong_value_names_the_variable_not_the_line():
    (told,) = problems(GOOD, {P + "DRIFT__ALPHA": "7"})
    assert told == f"{P}DRIFT__ALPHA: drift.alpha: must be less than 1, but is 7"


def test_an_override_mends_a_broken_value():
    assert load(GOOD.replace("0.02", "wrong"), {P + "DRIFT__ALPHA": "0.1"}).drift.alpha == 0.1


def test_other_variables_are_left_alone():
    load(GOOD, {"FEEDBACK_ASSETS_HOME": "/x", "FEEDBACK_ASSETS__OTHER__X": "1", "PATH": "/bin"})


def test_an_override_of_a_loop_that_is_not_there_is_found():
    stray = stray_overrides(["small", "flights"], {"FEEDBACK_ASSETS__FLIGTHS__DRIFT__ALPHA": "1"})
    assert [bad.variable for bad in stray] == ["FEEDBACK_ASSETS__FLIGTHS__DRIFT__ALPHA"]
    assert "did you mean flights?" in stray[0].message
    assert not stray_overrides(["small"], {P + "DRIFT__ALPHA": "1", "FEEDBACK_ASSETS_HOME": "/"})
