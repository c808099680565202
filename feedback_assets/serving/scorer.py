"""Scoring plain rows without pandas, to the last bit as `OnnxModel.score` does."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from feedback_assets.errors import ServingError
from feedback_assets.serving.answer import Row

if TYPE_CHECKING:
    from feedback_assets.training.onnx_model import OnnxModel

CHUNK_ROWS = 65_536
"""Rows scored at once: a bound on memory."""
_NULL = np.float32(np.nan)
Feed = dict[str, Any]
"""One array [n, 1] for each input of a model: float32 or str."""


class RowError(ServingError):
    """A row that no model could answer: the asker's fault."""

    def __init__(self, words: str, position: int | None = None) -> None:
        super().__init__(words)
        self.position = position
        """Of the row in its request, where that is known."""


class Scored(NamedTuple):
    """What a model says about one row."""

    score: float
    """Probability of the positive class, or of the predicted class, or the predicted value."""
    prediction: int | float | str
    """0 or 1, the class, or the value."""
    class_scores: dict[str, float] | None
    """Multiclass: class to probability, in the order of the label's classes."""


class RowScorer:
    """Scores rows by a loaded model; thread-safe."""

    def __init__(self, model: "OnnxModel") -> None:
        from feedback_assets.training.features import clean_text, normal_text

        spec = model.spec
        self._spec = spec
        self._run = model.session.run
        self._outputs = [model.session.get_outputs()[-1].name]
        self._numeric = spec.of_kind("numeric")
        self._strings = [
            (name, normal_text if kind == "text" else clean_text)
            for name, kind in spec.features
            if kind != "numeric"
        ]
        self._classes = spec.classes
        self._present = list(spec.present)
        self._every_class = self._present == list(range(len(self._classes)))

    def score(self, rows: Sequence[Row]) -> list[Scored]:
        """Score rows, in their order.

        Raises:
            RowError: A numeric feature holds something else; the message names the feature.
        """
        return self.run(self.feeds(rows))

    def feeds(self, rows: Sequence[Row]) -> list[Feed]:
        """The model's inputs of all rows, in chunks.

        Raises:
            RowError: As in `score`.
        """
        if len(rows) <= CHUNK_ROWS:
            return [self._feed(rows)] if rows else []
        return [self._feed(rows[at : at + CHUNK_ROWS]) for at in range(0, len(rows), CHUNK_ROWS)]

    def run(self, feeds: Sequence[Feed]) -> list[Scored]:
        """Ask the model; raises whatever its runtime does."""
        said: list[Scored] = []
        for feed in feeds:
            raw = np.asarray(self._run(self._outputs, feed)[0], dtype=np.float64)
            said += self._read(raw)
        return said

    def _read(self, raw: npt.NDArray[np.float64]) -> list[Scored]:
        match self._spec.label_kind:
            case "regression":
                return [Scored(value, value, None) for value in raw[:, 0].tolist()]
            case "binary":
                threshold = self._spec.threshold
                return [Scored(p, int(p >= threshold), None) for p in raw[:, 1].tolist()]
            case _:
                return self._by_class(raw)

    def _by_class(self, raw: npt.NDArray[np.float64]) -> list[Scored]:
        every = raw
        if not self._every_class:
            every = np.zeros((len(raw), len(self._classes)))
            every[:, self._present] = raw
        classes = self._classes
        return [
            Scored(said[best], classes[best], dict(zip(classes, said, strict=True)))
            for said, best in zip(every.tolist(), every.argmax(axis=1).tolist(), strict=True)
        ]

    def _feed(self, rows: Sequence[Row]) -> Feed:
        n = len(rows)
        feed: Feed = {}
        if self._numeric:
            columns = self._numbers(rows).reshape(-1, n, 1)
            feed.update(zip(self._numeric, columns, strict=True))
        for name, clean in self._strings:
            words = [_word(row.get(name), clean) for row in rows]
            feed[name] = np.array(words, dtype=object).reshape(n, 1)
        return feed

    def _numbers(self, rows: Sequence[Row]) -> npt.NDArray[np.float32]:
        """Numeric features [features, n], null and infinite as NaN."""
        names = self._numeric
        if len(rows) == 1:
            get = rows[0].get
            values: list[Any] = [get(name) for name in names]
        else:
            values = [row.get(name) for name in names for row in rows]
        try:
            # doubles first: an integer must round twice, as it does in training
            doubles = np.array(values, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            raise RowError(f"{self._culprit(rows)} must be a number or null") from None
        with np.errstate(over="ignore"):
            single = doubles.astype(np.float32)
        finite = np.isfinite(single)
        return single if finite.all() else np.where(finite, single, _NULL)

    def _culprit(self, rows: Sequence[Row]) -> str:
        for name in self._numeric:
            try:
                np.array([row.get(name) for row in rows], dtype=np.float64)
            except (TypeError, ValueError, OverflowError):
                return name
        return "a numeric feature"


def _word(value: float | str | None, clean: Callable[[str], str]) -> str:
    if value is None or value != value:
        return ""
    return clean(value if isinstance(value, str) else str(value))
