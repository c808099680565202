"""What a model reads and answers, and how a frame becomes its inputs.

One function prepares inputs for training, for parity and for serving, so that the three cannot
drift apart; the description travels inside the ONNX file.
"""

import json
import re
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import pandas as pd

from feedback_assets.config.schema import Config, FeatureKind, LabelKind
from feedback_assets.errors import TrainingError

TEXT_CHARS = 20_000
"""Longer texts are cut: a bound on what one row may cost."""

_TOKEN = re.compile(r"\w+|[^\w\s\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class FeatureSpec:
    """The model's inputs by name and kind, and the meaning of its answer."""

    features: tuple[tuple[str, FeatureKind], ...]
    label_kind: LabelKind
    classes: tuple[str, ...] = ()
    threshold: float = 0.5
    present: tuple[int, ...] = ()
    """Multiclass: positions in `classes` that had training rows; the others score 0."""

    @classmethod
    def of(cls, config: Config) -> Self:
        """What a loop's configuration says."""
        return cls(
            tuple((name, config.columns.kind_of(name)) for name in config.features),
            config.label.kind,
            tuple(config.label.classes),
            config.label.threshold,
        )

    @property
    def names(self) -> list[str]:
        """Every input, in order."""
        return [name for name, _ in self.features]

    def of_kind(self, kind: FeatureKind) -> list[str]:
        """The inputs of one kind, in order."""
        return [name for name, its_kind in self.features if its_kind == kind]

    def to_json(self) -> str:
        """Canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of `to_json`."""
        raw = json.loads(text)
        features = tuple((name, kind) for name, kind in raw["features"])
        return cls(
            features,
            raw["label_kind"],
            tuple(raw["classes"]),
            raw["threshold"],
            tuple(raw["present"]),
        )

    def prepare(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Model inputs of the frame's rows: float32 (null and infinite as NaN) and strings ("").

        Estimators are fitted on these very float32 values: a value that rounds across a tree's
        split would otherwise take another branch in ONNX.

        Raises:
            TrainingError: a column is missing, or a numeric one holds something else.
        """
        missing = [name for name in self.names if name not in frame.columns]
        if missing:
            raise TrainingError(
                f"the model reads columns that the rows do not have: {', '.join(missing)}"
            )
        columns = {
            name: _numbers(frame[name]) if kind == "numeric" else _strings(frame[name], kind)
            for name, kind in self.features
        }
        return pd.DataFrame(columns, index=pd.RangeIndex(len(frame)))


def _numbers(column: pd.Series) -> np.ndarray:
    try:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise TrainingError(
            f"numeric feature {column.name} holds something else: {error}"
        ) from None
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    return np.where(np.isfinite(single), single, np.float32(np.nan))


def _strings(column: pd.Series, kind: FeatureKind) -> np.ndarray:
    codes, known = pd.factorize(column.to_numpy(dtype=object))
    clean = normal_text if kind == "text" else clean_text
    words = np.empty(len(known) + 1, dtype=object)
    words[:-1] = [clean(str(value)) for value in known]
    words[-1] = ""
    return words[codes]


def clean_text(text: str) -> str:
    """The text as ONNX can hold it: whole characters, none of them NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def normal_text(text: str) -> str:
    """Lower-case tokens (words and single marks) with one space between, as ONNX splits them."""
    return " ".join(_TOKEN.findall(clean_text(text[:TEXT_CHARS]).lower()))
