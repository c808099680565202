"""A model as it serves and is judged: one ONNX file, known by its digest."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.errors import TrainingError
from feedback_assets.training.features import FeatureSpec

SPEC_KEY = "feedback_assets.spec"
"""Where the feature description stands in the file's metadata."""
CHUNK_ROWS = 65_536
"""Rows scored at once: a bound on memory."""

_ALLOWED_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_ALLOWED_OTHERS = frozenset({("com.microsoft", "Tokenizer")})


@dataclass(frozen=True)
class Scores:
    """Answers for n rows."""

    score: npt.NDArray[np.float64]
    """Probability of the positive class, or of the predicted class, or the predicted value [n]."""
    prediction: np.ndarray
    """0 or 1 (int64), the class (object), or the value (float64) [n]."""
    class_scores: npt.NDArray[np.float64] | None = None
    """Multiclass: probabilities [n, K] in the order of the label's classes."""


@dataclass(frozen=True)
class OnnxModel:
    """An ONNX file that says itself what it reads and answers; thread-safe once loaded."""

    content: bytes
    spec: FeatureSpec
    session: Any

    @classmethod
    def load(cls, source: bytes | Path) -> Self:
        """Read, check and open a model.

        Raises:
            TrainingError: not a model of ours, or one that reaches outside its own file (external
                data, operators that are not ONNX's own).
        """
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
        spec = _check(content)
        return cls(content, spec, _open(content))

    @cached_property
    def digest(self) -> str:
        """sha256 of the file, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    def score(self, frame: pd.DataFrame) -> Scores:
        """Score rows that hold at least the model's columns, in their order.

        Raises:
            TrainingError: a column is missing or holds something else.
        """
        inputs = self.spec.prepare(frame)
        raw = np.concatenate(
            [
                self._run(inputs.iloc[at : at + CHUNK_ROWS])
                for at in range(0, max(len(inputs), 1), CHUNK_ROWS)
            ]
        )
        return self._scores(raw)

    def _run(self, inputs: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Probabilities [n, K] or values [n, 1], as the graph gives them."""
        if inputs.empty:
            return np.empty((0, max(len(self.spec.present), 2)))
        feed = {name: inputs[name].to_numpy().reshape(-1, 1) for name in self.spec.names}
        output = self.session.get_outputs()[-1].name
        return np.asarray(self.session.run([output], feed)[0], dtype=np.float64)

    def _scores(self, raw: npt.NDArray[np.float64]) -> Scores:
        if self.spec.label_kind == "regression":
            return Scores(raw[:, 0], raw[:, 0].copy())
        if self.spec.label_kind == "binary":
            positive = raw[:, 1]
            return Scores(positive, (positive >= self.spec.threshold).astype(np.int64))
        every = np.zeros((len(raw), len(self.spec.classes)))
        every[:, list(self.spec.present)] = raw
        best = every.argmax(axis=1)
        names = np.array(self.spec.classes, dtype=object)
        return Scores(every[np.arange(len(every)), best], names[best], every)


def _check(content: bytes) -> FeatureSpec:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise TrainingError(f"not an ONNX model: {error}") from error
    for node in _nodes(model.graph):
        if (
            node.domain not in _ALLOWED_DOMAINS
            and (node.domain, node.op_type) not in _ALLOWED_OTHERS
        ):
            raise TrainingError(
                f"refused: the model uses the custom operator {node.domain}.{node.op_type}"
            )
    if len(model.functions) or any(_is_external(tensor) for tensor in _tensors(model.graph)):
        raise TrainingError("refused: the model carries functions or reads data outside its file")
    stated = {entry.key: entry.value for entry in model.metadata_props}
    if SPEC_KEY not in stated:
        raise TrainingError(f"the model lacks the metadata {SPEC_KEY}: it was not exported here")
    return FeatureSpec.from_json(stated[SPEC_KEY])


def _nodes(graph: Any) -> list[Any]:
    found: list[Any] = []
    for node in graph.node:
        found.append(node)
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                found.extend(_nodes(inner))
    return found


def _tensors(graph: Any) -> list[Any]:
    inside = [a for node in _nodes(graph) for a in node.attribute]
    stored = [t for a in inside for t in [a.t, *a.tensors]]
    nested = [t for a in inside for g in [a.g, *a.graphs] for t in g.initializer]
    return [*graph.initializer, *stored, *nested]


def _is_external(tensor: Any) -> bool:
    return bool(tensor.external_data) or tensor.data_location == 1


def _open(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
