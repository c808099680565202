"""Estimators by a named default or by import path, with their parameters checked by name."""

import difflib
import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from feedback_assets.errors import TrainingError
from feedback_assets.training.features import FeatureSpec

Named = tuple[str, dict[str, Any]]

_BOOSTING = {"max_iter": 150, "learning_rate": 0.06, "max_leaf_nodes": 15, "min_samples_leaf": 50}
_FOREST = {"n_estimators": 200, "min_samples_leaf": 10, "n_jobs": 2}

NAMED: Mapping[str, Mapping[str, Named]] = {
    "hist_gradient_boosting": {
        "classifier": ("sklearn.ensemble.HistGradientBoostingClassifier", _BOOSTING),
        "regressor": ("sklearn.ensemble.HistGradientBoostingRegressor", _BOOSTING),
    },
    "random_forest": {
        "classifier": ("sklearn.ensemble.RandomForestClassifier", _FOREST),
        "regressor": ("sklearn.ensemble.RandomForestRegressor", _FOREST),
    },
    "linear": {
        "classifier": ("sklearn.linear_model.LogisticRegression", {"max_iter": 1000}),
        "regressor": ("sklearn.linear_model.Ridge", {}),
    },
}
"""Name to import path and default parameters, for classification and for regression."""


def make_estimator(
    estimator: str, params: Mapping[str, Any], spec: FeatureSpec, seed: int, rows: int
) -> Any:
    """An unfitted estimator.

    `auto` is gradient boosting, or a linear model where there is text to read. A small training
    set lowers the default leaf size; whatever `params` says is taken as it is.

    Args:
        estimator: A name in `NAMED`, `auto`, or an import path such as `sklearn.svm.LinearSVC`.
        params: Keyword arguments, over the defaults of a named estimator.
        spec: What it will read and answer.
        seed: Passed as `random_state` where the estimator has one.
        rows: Rows it will be trained on.

    Raises:
        TrainingError: unknown name, import path or parameter; names the nearest right one.
    """
    path, defaults = _resolve(estimator, spec)
    if "min_samples_leaf" in defaults:
        leaf = max(1, min(defaults["min_samples_leaf"], rows // 40))
        defaults = {**defaults, "min_samples_leaf": leaf}
    made = _load(path)
    allowed = _parameters(made)
    for name in params:
        if name not in allowed:
            raise TrainingError(
                f"model.params.{name}: {path} has no such parameter"
                f"{_nearest(name, allowed)}; it takes {', '.join(sorted(allowed))}"
            )
    chosen = {**defaults, **params}
    if "random_state" in allowed:
        chosen.setdefault("random_state", seed)
    try:
        return made(**chosen)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"model.params do not suit {path}: {error}") from error


def path_of(estimator: Any) -> str:
    """The import path of an estimator's class."""
    return f"{type(estimator).__module__}.{type(estimator).__qualname__}"


def _resolve(estimator: str, spec: FeatureSpec) -> Named:
    task = "regressor" if spec.label_kind == "regression" else "classifier"
    name = estimator
    if estimator == "auto":
        name = "linear" if spec.of_kind("text") else "hist_gradient_boosting"
    if name in NAMED:
        return NAMED[name][task]
    if "." not in name:
        raise TrainingError(
            f"model.estimator: {name!r} is neither a name nor an import path"
            f"{_nearest(name, ['auto', *NAMED])}; names are auto, {', '.join(NAMED)}"
        )
    return name, {}


def _load(path: str) -> Any:
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise TrainingError(f"model.estimator: cannot import {module_name}: {error}") from error
    if not inspect.isclass(getattr(module, name, None)):
        raise TrainingError(
            f"model.estimator: {module_name} has no class {name}{_nearest(name, dir(module))}"
        )
    made = getattr(module, name)
    if not callable(getattr(made, "fit", None)):
        raise TrainingError(f"model.estimator: {path} has no method fit")
    return made


def _parameters(made: Any) -> set[str]:
    signature = inspect.signature(made.__init__).parameters.values()
    return {p.name for p in signature if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)} - {
        "self"
    }


def _nearest(name: str, allowed: Any) -> str:
    close = difflib.get_close_matches(name, list(allowed), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
