"""The scikit-learn pipeline around an estimator, from parts that export to ONNX exactly.

Choices made by measurement (largest difference between ONNX and scikit-learn on 60,000 rows with
nulls and unseen categories: 3e-7): trees read nulls as they are and categories by target encoding,
everything else reads imputed, scaled numbers, one-hot categories and tf-idf. Scaling runs in float64,
because a scaler in float32 moves values; `sublinear_tf` exports wrongly without a word
(skl2onnx 1.20: differences of .04), so it is not used.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from feedback_assets.training.features import FeatureSpec

TEXT_TOKENS = 20_000
"""Words and word pairs kept of each text column."""
TREE_TOKENS = 256
"""Most frequent words whose presence trees read: 0 or 1, which no rounding moves over a split."""
TEXT_COMPONENTS = 64
"""Dimensions that a text is reduced to for estimators that cannot read sparse input."""
RARE_CATEGORIES = 50
"""One-hot columns for one categorical feature, the last one for all rarer categories."""


def make_pipeline(
    estimator: Any, spec: FeatureSpec, seed: int, rows: int, empty: Collection[str] = ()
) -> Any:
    """An unfitted Pipeline that reads the frame which `FeatureSpec.prepare` makes.

    Args:
        estimator: An unfitted estimator.
        spec: What it reads and answers.
        seed: Seed of the folds of target encoding and of text reduction.
        rows: Rows it will be trained on; bounds the rarest token kept.
        empty: Numeric features without any value in the training rows; read as 0.
    """
    from skl2onnx.sklapi import CastTransformer
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    trees = _is_trees(estimator)
    parts: list[tuple[str, Any, Any]] = []
    numeric = spec.of_kind("numeric")
    if some := [name for name in numeric if name not in empty]:
        parts.append(("numeric", _numeric(estimator, trees), some))
    if none := [name for name in numeric if name in empty]:
        parts.append(("empty", _zero(), none))
    if categorical := spec.of_kind("categorical"):
        by_target = trees and spec.label_kind != "multiclass"
        encoder = _by_target(spec, seed) if by_target else _one_hot()
        parts.append(("categorical", encoder, categorical))
    texts = spec.of_kind("text")
    sparse = bool(texts) and not trees and _reads_sparse(estimator)
    parts.extend((f"text{i}", _text(trees, sparse, seed, rows), c) for i, c in enumerate(texts))
    columns = ColumnTransformer(parts, sparse_threshold=1.0 if sparse else 0.0)
    steps = [("columns", columns), ("single", CastTransformer(dtype=np.float32))]
    return Pipeline([*(steps[:1] if sparse else steps), ("model", estimator)])


def export_options(pipeline: Any) -> Mapping[Any, Mapping[str, Any]]:
    """What the ONNX converter must be told about the pipeline's parts."""
    from sklearn.base import is_classifier
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

    tokens = {"locale": "C", "tokenexp": "[^ ]+"}
    options: dict[Any, dict[str, Any]] = {CountVectorizer: tokens, TfidfVectorizer: tokens}
    if is_classifier(pipeline):
        options[id(pipeline)] = {"zipmap": False}
    return options


def _is_trees(estimator: Any) -> bool:
    module = type(estimator).__module__
    return module.startswith(("sklearn.ensemble", "sklearn.tree", "lightgbm", "xgboost"))


def _reads_null(estimator: Any) -> bool:
    return "HistGradientBoosting" in type(estimator).__name__


def _reads_sparse(estimator: Any) -> bool:
    from sklearn.utils import get_tags

    return bool(get_tags(estimator).input_tags.sparse)


def _numeric(estimator: Any, trees: bool) -> Any:
    from skl2onnx.sklapi import CastTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    if trees and _reads_null(estimator):
        return "passthrough"
    impute = ("impute", SimpleImputer(strategy="median"))
    if trees:
        return Pipeline([impute])
    return Pipeline(
        [
            impute,
            ("double", CastTransformer(dtype=np.float64)),
            ("scale", StandardScaler()),
            ("single", CastTransformer(dtype=np.float32)),
        ]
    )


def _zero() -> Any:
    from sklearn.impute import SimpleImputer

    return SimpleImputer(strategy="constant", fill_value=0.0, keep_empty_features=True)


def _by_target(spec: FeatureSpec, seed: int) -> Any:
    from sklearn.model_selection import KFold
    from sklearn.preprocessing import TargetEncoder

    target = "binary" if spec.label_kind == "binary" else "continuous"
    return TargetEncoder(target_type=target, cv=KFold(5, shuffle=True, random_state=seed))


def _one_hot() -> Any:
    from sklearn.preprocessing import OneHotEncoder

    return OneHotEncoder(
        handle_unknown="ignore",
        max_categories=RARE_CATEGORIES,
        sparse_output=False,
        dtype=np.float32,
    )


def _text(trees: bool, sparse: bool, seed: int, rows: int) -> Any:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.pipeline import Pipeline

    tokens: dict[str, Any] = {
        "lowercase": False,
        "token_pattern": r"[^ ]+",
        "min_df": 2 if rows >= 500 else 1,
        "dtype": np.float32,
    }
    if trees:
        return CountVectorizer(binary=True, max_features=TREE_TOKENS, **tokens)
    words = TfidfVectorizer(ngram_range=(1, 2), max_features=TEXT_TOKENS, **tokens)
    if sparse:
        return words
    return Pipeline(
        [("words", words), ("reduce", TruncatedSVD(TEXT_COMPONENTS, random_state=seed))]
    )
