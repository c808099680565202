"""A model's answers, of whatever shape, as score, class probabilities and prediction."""

import math
from typing import Any, NamedTuple

from feedback_assets.capture.importers import values
from feedback_assets.capture.importers.layout import Layout
from feedback_assets.capture.importers.payloads import is_tensors, seldon_rows, shaped
from feedback_assets.capture.importers.records import UnexpectedError

_INSIDE = ("predictions", "outputs", "output", "data", "results", "result", "jsonData")
_SCORE = ("probability", "proba", "predicted_score")
_PREDICTION = ("predicted_label", "predicted_class", "label", "class")
_PROBABILITIES = ("probabilities", "class_scores", "scores")


class Answer(NamedTuple):
    """What the model said of one row."""

    score: float | None
    class_scores: list[float | None] | None
    """By the order of the loop's `score_<class>` columns."""
    prediction: float | str | None


class Answers:
    """Reads answers as the YAML file of a loop names them."""

    def __init__(self, layout: Layout) -> None:
        columns, self.label = layout.config.columns, layout.config.label
        self.classes = list(columns.class_scores) or list(self.label.classes)
        self.scored = list(columns.class_scores)
        own = {"score", "prediction", *layout.score_names}
        self.positions = {
            int(theirs): theirs
            for theirs, ours in layout.map.items()
            if theirs.isdigit() and len(theirs) < 6 and ours in own
        }
        usual = ("value",) if self.label.kind == "regression" else ()
        self.score = layout.theirs("score", columns.score or "score", *_SCORE, *usual)
        self.prediction = layout.theirs(
            "prediction", columns.prediction or "prediction", *_PREDICTION
        )
        self.class_keys = [
            (*layout.theirs(f"score_{name}"), columns.class_scores.get(name, name), name)
            for name in self.classes
        ]
        names = {*self.score, *self.prediction, *_PROBABILITIES, *self.positions.values()}
        self.known = frozenset(names.union(*self.class_keys))

    def items(self, payload: Any, count: int, depth: int = 0) -> list[Any]:
        """Return the answer for each of `count` rows.

        Raises:
            UnexpectedError: if the response has no such answers.
        """
        if depth > 5:
            raise UnexpectedError(_wanted(count))
        if isinstance(payload, dict):
            return self._items_of_object(payload, count, depth)
        if isinstance(payload, list):
            if is_tensors(payload):
                return self._columns({str(t["name"]): shaped(t) for t in payload}, count)
            if len(payload) == count:
                return payload
            if count == 1 and payload:
                return [payload]
            raise UnexpectedError(f"{_wanted(count)}; there are {len(payload)}")
        if count == 1 and isinstance(payload, str | int | float):
            return [payload]
        raise UnexpectedError(_wanted(count))

    def _items_of_object(self, body: dict[str, Any], count: int, depth: int) -> list[Any]:
        if "ndarray" in body or "tensor" in body:
            return self.items(seldon_rows(body), count, depth + 1)
        inside = next((name for name in _INSIDE if body.get(name) is not None), None)
        if inside is not None and inside not in self.prediction:
            items = self.items(body[inside], count, depth + 1)
            beside = {
                name: value
                for name, value in body.items()
                if name in self.known and isinstance(value, list) and len(value) == count
            }
            if not beside or any(isinstance(item, dict | list) for item in items):
                return items
            rows = zip(*beside.values(), strict=True)
            return [
                {self.prediction[0]: item, **dict(zip(beside, row, strict=True))}
                for item, row in zip(items, rows, strict=True)
            ]
        found = {name: value for name, value in body.items() if name in self.known}
        if not found:
            raise UnexpectedError(f"{_wanted(count)}, or the names {self._named()}")
        if all(isinstance(v, list) and len(v) == count for v in found.values()) and not (
            count == 1 and any(name in found for name in _PROBABILITIES)
            and not any(isinstance(v[0], list) for v in found.values())
        ):  # fmt: skip
            return self._columns(found, count)
        if count == 1:
            return [body]
        raise UnexpectedError(_wanted(count))

    def _columns(self, columns: dict[str, list[Any]], count: int) -> list[Any]:
        if any(len(values) != count for values in columns.values()):
            raise UnexpectedError(_wanted(count))
        if len(columns) == 1 and not self.known.intersection(columns):
            return next(iter(columns.values()))
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def read(self, item: Any) -> Answer:
        """Return one row's answer.

        Raises:
            UnexpectedError: if it is none that fits the loop's label.
        """
        while isinstance(item, list) and len(item) == 1 and 0 not in self.positions:
            item = item[0]
        if isinstance(item, list):
            return self._of_list(item)
        if isinstance(item, dict):
            return self._of_names(item)
        return self._of_scalar(item)

    def _of_scalar(self, item: Any) -> Answer:
        if self.label.kind == "regression":
            found = values.number(item, "the answer")
            if found is None:
                raise UnexpectedError("the answer is not a number")
            return Answer(found, None, found)
        if isinstance(item, str):
            parsed = values.parse_number(item)
            item = item if parsed is None else parsed
        if self.label.kind == "binary" and isinstance(item, float):
            if not 0.0 <= item <= 1.0:
                raise UnexpectedError("a probability from 0 to 1, or an answer, is expected")
            return Answer(item, None, None)
        said = values.text(item, "the answer")
        if said is None or said == "":
            raise UnexpectedError("the model gave no answer")
        return Answer(None, None, said)

    def _of_list(self, item: list[Any]) -> Answer:
        if self.positions:
            named = {key: item[i] for i, key in self.positions.items() if i < len(item)}
            return self._of_names(named)
        shares = [values.number(value, "a probability") for value in item]
        if self.label.kind == "binary" and len(shares) == 2 and _sum_to_one(shares):
            return Answer(shares[1], None, None)
        if self.label.kind == "multiclass" and len(shares) == len(self.classes):
            return self._of_shares(shares)
        raise UnexpectedError(
            "a list of answers for one row must hold the classes' probabilities"
            f" ({', '.join(self.classes) or 'negative, positive'})"
        )

    def _of_shares(self, shares: list[float | None], said: str | None = None) -> Answer:
        known = [share for share in shares if share is not None]
        if not known:
            raise UnexpectedError("the model gave no answer")
        best = max(known)
        answer = said or self.classes[shares.index(best)]
        return Answer(best, shares if self.scored else None, answer)

    def _of_names(self, item: dict[str, Any]) -> Answer:
        score = values.number(_first(item, self.score), "score")
        raw = _single(_first(item, self.prediction))
        if self.label.kind == "regression":
            said = values.number(raw, "prediction")
            score = said if score is None else score
            if score is None:
                raise UnexpectedError(f"the answer needs one of {self._named()}")
            return Answer(score, None, score if said is None else said)
        answer = values.text(raw, "prediction")
        shares = self._shares(item)
        if self.label.kind == "multiclass":
            if shares is not None:
                return self._of_shares(shares, answer)
        elif score is None and shares is not None:
            score = shares[-1]
        if score is None and answer is None:
            raise UnexpectedError(f"the answer needs one of {self._named()}")
        return Answer(score, None, answer)

    def _shares(self, item: dict[str, Any]) -> list[float | None] | None:
        inner = _first(item, _PROBABILITIES)
        if isinstance(inner, dict):
            item, inner = inner, None
        if isinstance(inner, list):
            shares = [values.number(value, "a probability") for value in inner]
            wanted = len(self.classes) if self.label.kind == "multiclass" else 2
            order = item.get("classes")
            if isinstance(order, list) and len(order) == len(shares):
                names = [str(name) for name in order]
                if self.label.kind == "multiclass" and set(names) >= set(self.classes):
                    return [shares[names.index(name)] for name in self.classes]
                if self.label.kind == "binary" and self.label.positive in names:
                    return [shares[names.index(self.label.positive)]]
            if self.label.kind == "binary" and len(shares) == 1:
                return shares
            if len(shares) != wanted:
                raise UnexpectedError(f"{wanted} probabilities are expected")
            return shares
        if isinstance(inner, int | float | str) and self.label.kind == "binary":
            return [values.number(inner, "a probability")]
        if not any(key in item for keys in self.class_keys for key in keys):
            return None
        return [values.number(_first(item, keys), f"score_{keys[-1]}") for keys in self.class_keys]

    def _named(self) -> str:
        return ", ".join(dict.fromkeys((*self.score[:2], *self.prediction[:2], "probabilities")))


def _first(item: dict[str, Any], keys: tuple[str, ...]) -> Any:
    for key in keys:
        value = item.get(key)
        if value is not None:
            return _single(value) if key not in _PROBABILITIES else value
    return None


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _sum_to_one(shares: list[float | None]) -> bool:
    return math.isclose(sum(share or 0.0 for share in shares), 1.0, abs_tol=1e-3)


def _wanted(count: int) -> str:
    return f"{'one answer is' if count == 1 else f'{count} answers are'} expected in the response"
