import pytest

from feedback_assets.errors import TrainingError
from feedback_assets.training.estimators import make_estimator, path_of
from feedback_assets.training.features import FeatureSpec
from feedback_assets_tests.training.examples import config

SPEC = FeatureSpec.of(config())


def test_auto_is_boosting_and_linear_where_there_is_text():
    assert type(make_estimator("auto", {}, SPEC, 7, 10_000)).__name__ == (
        "HistGradientBoostingClassifier"
    )
    text = FeatureSpec.of(config("regression", text=True))
    assert type(make_estimator("auto", {}, text, 7, 10_000)).__name__ == "Ridge"


def test_params_win_over_defaults_and_the_seed_is_set():
    made = make_estimator("hist_gradient_boosting", {"max_iter": 3}, SPEC, 11, 10_000)
    assert (made.max_iter, made.learning_rate, made.random_state) == (3, 0.06, 11)


def test_few_rows_lower_the_default_leaf_but_not_a_chosen_one():
    assert make_estimator("auto", {}, SPEC, 7, 200).min_samples_leaf == 5
    assert make_estimator("auto", {"min_samples_leaf": 60}, SPEC, 7, 200).min_samples_leaf == 60


def test_an_import_path_works():
    made = make_estimator("sklearn.naive_bayes.GaussianNB", {}, SPEC, 7, 100)
    assert path_of(made) == "sklearn.naive_bayes.GaussianNB"


@pytest.mark.parametrize(
    ("estimator", "params", "said"),
    [
        ("hist_gradient_boostin", {}, "did you mean hist_gradient_boosting"),
        ("sklearn.ensemble.RandomForestClasifier", {}, "did you mean RandomForestClassifier"),
        ("no_such_package.Model", {}, "cannot import no_such_package"),
        ("sklearn.base.clone", {}, "has no class clone"),
        ("pathlib.Path", {}, "has no method fit"),
        ("auto", {"max_iters": 5}, r"model.params.max_iters.*did you mean max_iter\?"),
    ],
)
def test_what_is_wrong_is_named_with_the_nearest_right_name(estimator, params, said):
    with pytest.raises(TrainingError, match=said):
        make_estimator(estimator, params, SPEC, 7, 100)
