"""The landed columns of a loop, and where in a foreign record each of them is found."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from feedback_assets.capture.contract import class_score_names
from feedback_assets.capture.importers import values
from feedback_assets.capture.importers.records import Kind, Row, UnexpectedError
from feedback_assets.config.schema import Config
from feedback_assets.errors import SourceError

BROKEN, LINE = "#broken", "#line"
_MOMENT = pa.timestamp("us", tz="UTC")
_FEEDBACK = {
    "event_id": pa.string(), "prediction_id": pa.string(), "kind": pa.string(),
    "value": pa.string(), "source": pa.string(), "event_time": _MOMENT,
    "received_time": _MOMENT, "confidence": pa.float64(), "principal": pa.string(),
}  # fmt: skip


class Layout:
    """A loop's landed columns of one kind, with the names that `column_map` gives them elsewhere.

    Attributes:
        schema: Arrow schema of a landed file.
        features: The names that a row by position fills, in their order.
        columns: Features and carried columns, as they stand in the landed file.
        signature: Changes with anything that decides whether a record can be read.
        roles: What the files themselves say: "prediction" and "target" to a column of theirs.
        answers: The names under which a row may hold its answer.
    """

    def __init__(self, config: Config, kind: Kind, column_map: Mapping[str, str] | None) -> None:
        c = config.columns
        self.config = config
        self.kind = kind
        self.features = config.features
        self.columns = [*c.features, *c.carried]
        self.score_names = class_score_names(config)
        self.schema = landed_schema(config, kind)
        self.map = dict(column_map or {})
        self.roles: dict[str, str] = {}
        self._check()
        ours_to_theirs = {ours: theirs for theirs, ours in self.map.items()}
        said = [str(self.schema), self.features, sorted(self.map.items())]
        said += [config.label.model_dump_json(), c.model_dump_json()]
        self.signature = hashlib.sha256(repr(said).encode()).hexdigest()[:16]
        self._keys = [ours_to_theirs.get(name, name) for name in self.columns]
        self._known = frozenset(self._keys)
        makers: list[Callable[[Any, str], Any]] = [
            values.number if c.kind_of(name) == "numeric" else values.text for name in self.columns
        ]
        self._cells = list(zip(self._keys, makers, self.columns, strict=True))
        own = {"score", "prediction", *self.score_names}
        self.answers = frozenset(
            {*c.class_scores.values(), c.score or "score", c.prediction or "prediction", *own}
            | {theirs for theirs, ours in self.map.items() if ours in own}
        )
        place = {name: i for i, name in enumerate(self.features)}
        self._places = [
            (place.get(name), maker, name) for name, maker in zip(self.columns, makers, strict=True)
        ]

    def _check(self) -> None:
        ours = [name for name in self.schema.names if not name.startswith("#")]
        unknown = sorted({name for name in self.map.values() if name not in ours})
        if unknown:
            raise SourceError(
                f"the column map names {', '.join(unknown)}, which {self.config.name} has no "
                f"landed column for; there are: {', '.join(ours)}"
            )
        twice = sorted({n for n in self.map.values() if list(self.map.values()).count(n) > 1})
        if twice:
            raise SourceError(f"the column map gives two columns for {', '.join(twice)}")

    def theirs(self, ours: str, *usual: str) -> tuple[str, ...]:
        """Return the names under which a landed column may be found, the mapped one first."""
        mapped = [theirs for theirs, name in self.map.items() if name == ours]
        return tuple(mapped) or tuple(dict.fromkeys((ours, *usual)))

    def answer_in(self, row: Row | Any) -> dict[str, Any]:
        """Return what of a row that holds features and answer alike is the answer.

        Raises:
            UnexpectedError: if none of its names is the loop's name of an answer.
        """
        found = {k: v for k, v in row.items() if k in self.answers} if isinstance(row, dict) else {}
        if not found:
            raise UnexpectedError(
                f"the row names no answer; one of {', '.join(sorted(self.answers))} is expected "
                "(or map it: NAME=prediction)"
            )
        return found

    def knows(self, names: Any) -> bool:
        """Whether any of the names is a feature or a carried column."""
        return not self._known.isdisjoint(names)

    def check(self, rows: list[Any] | None) -> None:
        """Do nothing if the first of some rows may be one of the loop's.

        Raises:
            UnexpectedError: as `cells` does, but for the values.
        """
        row = rows[0] if rows else None
        if isinstance(row, dict) and self._known.isdisjoint(row):
            raise UnexpectedError(f"none of the loop's columns is named: {self._listed()}")
        if isinstance(row, list) and len(row) != len(self.features):
            raise UnexpectedError(self._wrong_length(row))

    def _wrong_length(self, row: list[Any]) -> str:
        return (
            f"a row has {len(row)} values by position where the loop has "
            f"{len(self.features)} features: {self._listed()}"
        )

    def cells(self, row: Row | Any) -> list[Any]:
        """Return the values of features and carried columns, typed.

        Raises:
            UnexpectedError: if a value does not fit its column, no name is known, or a row by
                position has another length than the loop has features.
        """
        if isinstance(row, dict):
            if self._known.isdisjoint(row):
                raise UnexpectedError(f"none of the loop's columns is named: {self._listed()}")
            return [make(row.get(key), name) for key, make, name in self._cells]
        if not isinstance(row, list):
            row = [row]
        if len(row) != len(self.features):
            raise UnexpectedError(self._wrong_length(row))
        return [make(row[at], name) if at is not None else None for at, make, name in self._places]

    def _listed(self) -> str:
        shown = ", ".join(self.features[:20])
        return f"{shown}, …" if len(self.features) > 20 else shown


def landed_schema(config: Config, kind: Kind) -> pa.Schema:
    """Return the Arrow schema of a loop's landed files of one kind."""
    if kind == "feedback":
        columns = dict(_FEEDBACK)
    else:
        c = config.columns
        answer = pa.float64() if config.label.kind == "regression" else pa.string()
        columns = {
            "prediction_id": pa.string(), "event_time": _MOMENT, "received_time": _MOMENT,
            "model_version": pa.string(), "role": pa.string(), "propensity": pa.float64(),
            "score": pa.float64(),
        }  # fmt: skip
        columns |= dict.fromkeys(class_score_names(config), pa.float64())
        columns["prediction"] = answer
        columns |= {
            name: pa.float64() if c.kind_of(name) == "numeric" else pa.string()
            for name in [*c.features, *c.carried]
        }
    return pa.schema([*columns.items(), (BROKEN, pa.string()), (LINE, pa.string())])
