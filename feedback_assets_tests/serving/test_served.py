from types import SimpleNamespace

import numpy as np
import pytest

from feedback_assets.errors import ServingError
from feedback_assets.serving.publish import published
from feedback_assets.serving.scorer import RowError, RowScorer
from feedback_assets.serving.served import FAILURES, ServedModel, ask
from feedback_assets_tests.serving.shop import LOOP, Shop


def files(shop, version=1):
    folder = shop.settings.models / LOOP / str(version)
    return (folder / "model.onnx").read_bytes(), (folder / "golden.json").read_bytes()


def load(shop, version=1, content=None, golden=None, config=None):
    stored, asked = files(shop, version)
    about = published(shop.settings, LOOP, version)
    return ServedModel.load(about, content or stored, golden or asked, config or shop.config)


def test_a_checked_model_answers(shop):
    model = load(shop)
    expected = shop.model(1).score(shop.frame(5, 3)).score.tolist()
    rows = shop.frame(5, 3).astype(object).to_dict("records")
    assert [one.score for one in model.score(rows) if one] == expected
    assert (model.version, model.digest) == ("1", shop.model(1).digest)


def test_another_file_is_refused(shop):
    with pytest.raises(ServingError, match="version 1: the file is not the one that was publ"):
        load(shop, content=files(shop, 2)[0])


def test_another_models_golden_rows_are_refused(shop):
    with pytest.raises(ServingError, match="golden rows are of another model"):
        load(shop, golden=files(shop, 2)[1])


@pytest.mark.parametrize("content", [b"no model", b"\x08\x0a" + b"x" * 99])
def test_what_is_no_model_is_refused(shop, content):
    import hashlib

    import msgspec

    about = published(shop.settings, LOOP, 1)
    digest = hashlib.sha256(content).hexdigest()
    with pytest.raises(ServingError, match="version 1 cannot be opened"):
        ServedModel.load(msgspec.structs.replace(about, digest=digest), content, None, shop.config)


def test_a_model_of_another_label_is_refused(shop, tmp_path):
    other = Shop(tmp_path / "other" / "home", "regression")
    with pytest.raises(ServingError, match="answers a binary label, the loop has regression"):
        load(shop, config=other.config)


def test_a_model_of_other_classes_or_columns_is_refused(tmp_path):
    shop = Shop(tmp_path / "home", "multiclass")
    shop.train(1)
    label = shop.config.label.model_copy(update={"classes": ["buy", "look"]})
    with pytest.raises(ServingError, match=r"other classes than label\.classes"):
        load(shop, config=shop.config.model_copy(update={"label": label}))
    columns = shop.config.columns.model_copy(update={"numeric": ["amount"]})
    with pytest.raises(ServingError, match="does not declare: distance, empty"):
        load(shop, config=shop.config.model_copy(update={"columns": columns}))


def failing(shop, run):
    """A served model whose runtime does something else."""
    scorer = RowScorer(SimpleNamespace(spec=shop.model(1).spec, session=SimpleNamespace(
        run=run, get_outputs=lambda: [SimpleNamespace(name="x")])))  # fmt: skip
    good = load(shop)
    return ServedModel("1", good.digest, scorer, good.breaker, checked=True)


def test_failures_in_a_row_open_the_breaker_and_bad_rows_do_not(shop):
    def fail(*_):
        raise KeyError("boom")

    model = failing(shop, fail)
    for _ in range(3 * FAILURES):
        with pytest.raises(RowError):
            model.score([{"amount": "many"}])
    assert model.breaker.state == "closed"
    for _ in range(FAILURES):
        with pytest.raises(ServingError, match=r"^version 1 failed: KeyError$"):
            model.score(shop.rows(1))
    assert model.breaker.state == "open"
    with pytest.raises(ServingError, match="left alone"):
        model.score(shop.rows(1))
    assert ask(model, shop.rows(2)) is None
    assert ask(None, shop.rows(2)) is None


def test_a_score_that_is_no_number_is_no_answer(shop):
    model = failing(shop, lambda *_: [np.array([[0.1, 0.9], [np.nan, np.nan]], np.float32)])
    one, two = model.score(shop.rows(2))
    assert one
    assert one.score == np.float64(np.float32(0.9))
    assert two is None
