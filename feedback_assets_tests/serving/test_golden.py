import json

import numpy as np
import pytest

from feedback_assets.errors import ServingError
from feedback_assets.serving.golden import ROWS, check, golden_rows
from feedback_assets.serving.scorer import RowScorer
from feedback_assets_tests.serving.shop import Shop


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "text"])
def test_a_model_says_again_what_it_said(tmp_path, kind):
    shop = Shop(tmp_path / "home", kind)
    shop.train(1)
    model = shop.model(1)
    held = shop.frame(40, 5)
    held.loc[0, "distance"] = np.inf
    content = golden_rows(model, held)
    made = json.loads(content)
    assert len(made["rows"]) == len(made["scores"]) == ROWS
    assert set(made["rows"][0]) == set(model.spec.names)
    assert made["rows"][0]["distance"] is None
    assert (made["class_scores"] is not None) == (kind == "multiclass")
    check(content, model.digest, RowScorer(model).score, "version 1")


def damaged(content, **parts):
    return json.dumps({**json.loads(content), **parts}).encode()


def test_whatever_differs_is_refused(shop):
    model, score = shop.model(1), RowScorer(shop.model(1)).score
    good = golden_rows(model, shop.frame(4, 5))
    scores = json.loads(good)["scores"]
    near = damaged(good, scores=[s + 5e-7 for s in scores])
    check(near, model.digest, score, "version 1")
    for bad, words in [
        (damaged(good, scores=[*scores[:-1], scores[-1] + 2e-6]), "differs by 2e-06"),
        (damaged(good, scores=scores[:-1]), "gives 4 golden scores, not 3"),
        (good[:50], "golden rows are damaged"),
        (b"[]", "golden rows are damaged"),
    ]:
        with pytest.raises(ServingError, match=f"^version 1.*{words}"):
            check(bad, model.digest, score, "version 1")
    with pytest.raises(ServingError, match="of another model"):
        check(good, "0" * 64, score, "version 1")


def test_a_score_that_is_no_number_is_refused_wherever_it_stands(shop):
    model = shop.model(1)
    good = golden_rows(model, shop.frame(4, 5))

    def score(rows):
        said = RowScorer(model).score(rows)
        return [*said[:2], said[2]._replace(score=float("nan")), said[3]]

    with pytest.raises(ServingError, match="differs by"):
        check(good, model.digest, score, "version 1")


def test_large_values_may_differ_in_their_last_bit(tmp_path):
    shop = Shop(tmp_path / "home", "regression")
    shop.train(1)
    model = shop.model(1)
    good = golden_rows(model, shop.frame(4, 5))
    scores = json.loads(good)["scores"]
    near = damaged(good, scores=[float(np.nextafter(np.float32(s), np.inf)) for s in scores])
    assert max(map(abs, scores)) > 100
    check(near, model.digest, RowScorer(model).score, "version 1")
    far = damaged(good, scores=[s * (1 + 3e-6) for s in scores])
    with pytest.raises(ServingError, match="differs by 3e-06"):
        check(far, model.digest, RowScorer(model).score, "version 1")


def test_another_model_says_something_else(shop):
    good = golden_rows(shop.model(1), shop.frame(16, 5))
    with pytest.raises(ServingError, match="differs by"):
        check(good, shop.model(1).digest, RowScorer(shop.model(2)).score, "version 1")


def test_class_scores_are_compared_too(tmp_path):
    shop = Shop(tmp_path / "home", "multiclass")
    shop.train(1)
    model = shop.model(1)
    good = golden_rows(model, shop.frame(4, 5))
    every = json.loads(good)["class_scores"]
    every[2] = every[2][::-1]
    with pytest.raises(ServingError, match="differs by"):
        check(damaged(good, class_scores=every), model.digest, RowScorer(model).score, "v")


def test_no_held_out_rows_nothing_to_check(shop):
    model = shop.model(1)
    content = golden_rows(model, shop.frame(1, 5).head(0))
    check(content, model.digest, RowScorer(model).score, "version 1")
