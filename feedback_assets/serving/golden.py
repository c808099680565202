"""Golden rows: what a version said at registration, asked again before it may answer."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from feedback_assets.errors import ServingError
from feedback_assets.serving.answer import Row
from feedback_assets.serving.scorer import Scored

if TYPE_CHECKING:
    import pandas as pd

    from feedback_assets.training.onnx_model import OnnxModel

ROWS = 16
TOLERANCE = 1e-6
"""Largest allowed difference to what was said at registration, for values beyond 1 relative to
them: another machine may round the last bit of a float32."""


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `golden.json` says."""

    rows: list[dict[str, float | str | None]]
    scores: list[float]
    class_scores: list[list[float]] | None
    digest: str
    """sha256 of the ONNX file that said so."""


def golden_rows(model: "OnnxModel", held: "pd.DataFrame") -> bytes:
    """The file `golden.json` of a version's folder.

    Args:
        model: The version.
        held: Held-out rows with at least the model's columns [n]; the first 16 are taken.

    Raises:
        TrainingError: A column is missing.
    """
    rows = held.head(ROWS).reset_index(drop=True)
    said = model.score(rows)
    plain = [
        {
            name: _plain(value, kind)
            for (name, kind), value in zip(model.spec.features, values, strict=True)
        }
        for values in rows[model.spec.names].astype(object).itertuples(index=False, name=None)
    ]
    every = None if said.class_scores is None else said.class_scores.tolist()
    return msgspec.json.encode(Golden(plain, said.score.tolist(), every, model.digest))


def check(
    content: bytes, digest: str, score: Callable[[Sequence[Row]], list[Scored]], name: str
) -> None:
    """Ask a model the golden rows.

    Args:
        content: A version's `golden.json`.
        digest: The model's.
        score: Asks it.
        name: How to call the version in errors.

    Raises:
        ServingError: The rows are damaged or of another model, or the model says something else.
    """
    try:
        golden = msgspec.json.decode(content, type=Golden)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ServingError(f"{name}: its golden rows are damaged: {error}") from None
    if golden.digest != digest:
        raise ServingError(f"{name}: its golden rows are of another model")
    if not golden.rows:
        return
    said = score(golden.rows)
    expected = [*golden.scores, *(x for row in golden.class_scores or [] for x in row)]
    given = [row.score for row in said]
    given += [x for row in said for x in (row.class_scores or {}).values()]
    if len(expected) != len(given):
        raise ServingError(f"{name} gives {len(given)} golden scores, not {len(expected)}")
    apart = [abs(a - b) / max(1.0, abs(a)) for a, b in zip(expected, given, strict=True)]
    if not all(x <= TOLERANCE for x in apart):  # also when one is not a number
        raise ServingError(
            f"{name} differs by {max(apart):.2g} from what it said at registration (golden rows): "
            "it was exported for another runtime, or the runtime is broken here"
        )


def _plain(value: Any, kind: str) -> float | str | None:
    if value is None or value != value:
        return None
    if kind != "numeric":
        return str(value)
    number = float(value)
    return number if math.isfinite(number) else None
