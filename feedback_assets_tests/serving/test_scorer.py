import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.serving.scorer import RowError, RowScorer
from feedback_assets.training.onnx_model import OnnxModel
from feedback_assets_tests.serving.shop import Shop

ESTIMATORS = ("linear", "hist_gradient_boosting", "random_forest")
KINDS = ("binary", "multiclass", "regression", "text")
MODELS = [*itertools.product(KINDS, ESTIMATORS)]
NUMBERS = [
    None, math.nan, math.inf, -math.inf, 0.0, -0.0, 1, 2**53 + 1, 2**70, 1e39, -1e39, 3.4028235e38,
    3.4028236e38, 1e-46, 16777217.0, 0.1, 5e-324,
]  # fmt: skip
WORDS = [
    None, "", "food", "FOOD", "é", "e\u0301", "日本", "\0", "a\0b", "\ud800", "😀😀", " ", "\u2028",
    "İ \u0131 ß", "c,d", "x" * 30_000, "Broken! great", "\x85tab\there", "a_b c-d",
]  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[Shop, Any]]:
    made = {}
    for kind, estimator in MODELS:
        home: Path = tmp_path_factory.mktemp(f"{kind}_{estimator}") / "home"
        params = {} if estimator == "linear" else {"params": {"random_state": 3}}
        shop = Shop(home, kind, estimator=estimator, **params)  # type: ignore[arg-type]
        shop.train(1)
        made[kind, estimator] = (shop, shop.model(1))
    return made


def agree(model: OnnxModel, rows: list[dict[str, Any]]) -> None:
    columns = {
        name: pd.Series([row.get(name) for row in rows], dtype=object) for name in model.spec.names
    }
    expected = model.score(pd.DataFrame(columns))
    said = RowScorer(model).score(rows)
    assert np.array([s.score for s in said]).tobytes() == expected.score.tobytes()
    assert [s.prediction for s in said] == expected.prediction.tolist()
    if expected.class_scores is None:
        assert all(s.class_scores is None for s in said)
    else:
        assert [list((s.class_scores or {}).values()) for s in said] == (
            expected.class_scores.tolist()
        )
        assert all(tuple(s.class_scores or {}) == model.spec.classes for s in said)


@pytest.mark.parametrize("which", MODELS)
@pytest.mark.parametrize("n", [1, 2, 64, 500])
def test_the_fast_scorer_says_what_the_model_says(models: Any, which: Any, n: int) -> None:
    shop, model = models[which]
    agree(model, shop.rows(n))


@pytest.mark.parametrize("which", MODELS)
def test_hostile_values_one_by_one_and_together(models: Any, which: Any) -> None:
    shop, model = models[which]
    rows = []
    for i, (number, word) in enumerate(itertools.product(NUMBERS, WORDS)):
        row = shop.row(i)
        rows.append({**row, "distance": number, "country": word, "note": word})
        rows.append({**row, "amount": number, "shop_kind": word})
    agree(model, rows)
    for row in rows[::7]:
        agree(model, [row])


NUMBER = st.one_of(st.none(), st.floats(), st.integers(-(2**80), 2**80), st.sampled_from(NUMBERS))
WORD = st.one_of(st.none(), st.text(max_size=40), st.sampled_from(WORDS))
ROW = st.fixed_dictionaries(
    {},
    optional={
        "amount": NUMBER, "distance": NUMBER, "empty": NUMBER, "country": WORD, "shop_kind": WORD,
        "note": WORD,
    },
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(which=st.sampled_from(MODELS), rows=st.lists(ROW, min_size=1, max_size=6))
def test_any_rows_score_alike(models: Any, which: Any, rows: list[dict[str, Any]]) -> None:
    agree(models[which][1], rows)


def test_no_rows_no_scores(models: Any) -> None:
    assert RowScorer(models["binary", "linear"][1]).score([]) == []


def test_many_rows_are_scored_in_chunks(models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, model = models["multiclass", "hist_gradient_boosting"]
    scorer = RowScorer(model)
    whole = scorer.score(shop.rows(50))
    monkeypatch.setattr("feedback_assets.serving.scorer.CHUNK_ROWS", 7)
    assert len(scorer.feeds(shop.rows(50))) == 8
    assert scorer.score(shop.rows(50)) == whole


@pytest.mark.parametrize("value", ["many", object(), {}, 10**400])
@pytest.mark.parametrize("n", [1, 3])
def test_a_number_that_is_none_is_named_and_not_echoed(models: Any, value: Any, n: int) -> None:
    shop, model = models["binary", "linear"]
    rows = [*shop.rows(n - 1), {**shop.row(0), "distance": value}]
    with pytest.raises(RowError, match=r"^distance must be a number or null$"):
        RowScorer(model).score(rows)
