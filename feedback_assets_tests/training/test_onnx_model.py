import hashlib

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from feedback_assets.errors import TrainingError
from feedback_assets.training.fit import train
from feedback_assets.training.onnx_model import SPEC_KEY, OnnxModel
from feedback_assets_tests.training.examples import config, rows


@pytest.fixture(scope="module")
def trained():
    return train(*rows(500), config())


def test_a_model_says_itself_what_it_reads(trained, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(trained.onnx_bytes)
    model = OnnxModel.load(path)
    assert model.spec == trained.spec
    assert model.digest == hashlib.sha256(path.read_bytes()).hexdigest() == trained.digest
    assert [i.name for i in model.session.get_inputs()] == model.spec.names


def test_scores_do_not_depend_on_the_company_of_a_row(trained, monkeypatch):
    frame, _ = rows(300, seed=2)
    whole = trained.model.score(frame).score
    alone = np.concatenate([trained.model.score(frame.iloc[[i]]).score for i in range(300)])
    np.testing.assert_array_equal(whole, alone)
    monkeypatch.setattr("feedback_assets.training.onnx_model.CHUNK_ROWS", 7)
    np.testing.assert_array_equal(whole, trained.model.score(frame).score)


def test_extra_columns_order_and_index_do_not_matter(trained):
    frame, _ = rows(50)
    other = frame[frame.columns[::-1]].assign(more=1).set_index(np.arange(50)[::-1])
    np.testing.assert_array_equal(
        trained.model.score(frame).score, trained.model.score(other).score
    )


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_no_rows_no_scores(kind):
    frame, labels = rows(300, kind)
    scores = train(frame, labels, config(kind, estimator="linear")).model.score(frame.head(0))
    assert scores.score.shape == scores.prediction.shape == (0,)


def test_the_threshold_of_the_loop_decides_the_answer():
    frame, labels = rows(500)
    loop = config()
    low = loop.model_copy(update={"label": loop.label.model_copy(update={"threshold": 0.2})})
    scores = train(frame, labels, low).model.score(frame)
    np.testing.assert_array_equal(scores.prediction, (scores.score >= 0.2).astype(int))


def graph(node, initializers=()):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])
    made = helper.make_graph([node], "g", [x], [y], list(initializers))
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("evil", 1)]
    return helper.make_model(made, opset_imports=opsets)


def test_a_custom_operator_is_refused():
    model = graph(helper.make_node("Shell", ["x"], ["y"], domain="evil"))
    with pytest.raises(TrainingError, match=r"custom operator evil\.Shell"):
        OnnxModel.load(model.SerializeToString())


def test_data_outside_the_file_is_refused():
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../../etc/passwd")
    model = graph(helper.make_node("Mul", ["x", "w"], ["y"]), [weight])
    with pytest.raises(TrainingError, match="outside its file"):
        OnnxModel.load(model.SerializeToString())


def test_a_foreign_model_and_a_torn_file_are_refused(trained):
    with pytest.raises(TrainingError, match=SPEC_KEY):
        OnnxModel.load(graph(helper.make_node("Identity", ["x"], ["y"])).SerializeToString())
    with pytest.raises(TrainingError, match="not an ONNX model"):
        OnnxModel.load(trained.onnx_bytes[: len(trained.onnx_bytes) // 2])


def test_one_row_is_scored_fast(trained):
    import time

    frame, _ = rows(1)
    trained.model.score(frame)
    started = time.process_time()
    for _ in range(50):
        trained.model.score(frame)
    assert (time.process_time() - started) / 50 < 0.02


def test_the_opsets_stand_in_one_order(trained):
    model = onnx.load_model_from_string(trained.onnx_bytes)
    domains = [opset.domain for opset in model.opset_import]
    assert domains == sorted(domains)
