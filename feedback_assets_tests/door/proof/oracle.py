"""What is valid, told from the loop's YAML and the published formats alone.

Nothing here knows the code of the door. `bad` must be refused, `good` must be taken, and `open`
is what neither the YAML nor a format decides: either answer is right, as long as it is an answer.
"""

import datetime as dt
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from feedback_assets_tests.door.proof import formats
from feedback_assets_tests.door.proof.strict import (
    BAD,
    GOOD,
    OPEN,
    Verdict,
    decoded,
    depth,
    has_doubles,
    identifier,
    number,
    plain,
)  # fmt: skip

MAX_DEPTH = 16
MAX_ROWS = 1_000
MAX_BODY = 1_048_576
FUTURE = dt.timedelta(seconds=300)
SURE_TIME = re.compile(r"[0-9-]{10}T[0-9:]{8}([.][0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?")
KINDS = {"label", "correction", "rating", "click", "reward", "rejection"}


@dataclass(frozen=True)
class Oracle:
    """Validity of bodies for one loop."""

    name: str
    numeric: frozenset[str]
    textual: frozenset[str]
    features: frozenset[str]
    rules: dict[str, dict[str, Any]]
    label: dict[str, Any]
    start: dt.datetime
    """First moment of the first partition."""
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))

    @classmethod
    def of(cls, path: Path) -> "Oracle":
        """Read the loop's file."""
        said = yaml.safe_load(path.read_text("utf-8"))
        c = said["columns"]
        numeric = frozenset(c.get("numeric", []))
        text = [*c.get("categorical", []), *c.get("text", [])]
        carried = [*c.get("segments", []), *c.get("protected", [])]
        return cls(
            said["name"],
            numeric,
            frozenset([*text, *carried]) - numeric,
            numeric | frozenset(text),
            c.get("rules", {}),
            said["label"],
            dt.datetime.fromisoformat(str(said["partitions"]["start"])).replace(tzinfo=dt.UTC),
        )

    @property
    def columns(self) -> frozenset[str]:
        return self.numeric | self.textual

    def predict(self, body: bytes) -> Verdict:
        """A row, or {"rows": [row, ...]}."""
        return self._body(body, self._predict)

    def feedback(self, body: bytes) -> Verdict:
        """An event, or {"events": [event, ...]}."""
        return self._body(body, self._feedback)

    def cloud_event(self, body: bytes) -> Verdict:
        """A structured CloudEvent."""
        return self._body(body, lambda v: formats.cloud(self, v))

    def cloud_batch(self, body: bytes) -> Verdict:
        """A batch of CloudEvents."""
        return self._body(body, lambda v: self.each(v, lambda v: formats.cloud(self, v)))

    def cloud_binary(self, body: bytes) -> Verdict:
        """The data of a CloudEvent whose attributes are headers."""
        return self._body(body, lambda v: self.event(v, cloud=True))

    def infer(self, body: bytes) -> Verdict:
        """A request of the Open Inference Protocol, version 2."""
        return self._body(body, lambda v: formats.infer(self, v))

    def invocations(self, body: bytes) -> Verdict:
        """One of MLflow's four shapes."""
        return self._body(body, lambda v: formats.invocations(self, v))

    def _body(self, body: bytes, judge: Any) -> Verdict:
        if len(body) > MAX_BODY:
            return BAD
        verdict = GOOD
        if body.startswith(b"\xef\xbb\xbf"):
            body, verdict = body[3:], OPEN
        if depth(body) > MAX_DEPTH:
            return BAD
        try:
            value = decoded(body)
        except ValueError:
            return BAD
        if has_doubles(value):
            verdict = OPEN  # the last one stands or it is refused
        return max(verdict, judge(value))

    def _predict(self, value: Any) -> Verdict:
        if not isinstance(value, dict):
            return BAD
        if "rows" in value:
            return BAD if set(value) != {"rows"} else self.each(value["rows"], self.row)
        return self.row(value)

    def each(self, value: Any, judge: Any) -> Verdict:
        if not isinstance(value, list) or len(value) > MAX_ROWS:
            return BAD
        if not value:
            return OPEN
        worst = max(judge(item) for item in value)
        ids = [
            i.get("prediction_id", i.get("event_id", i.get("id")))
            for i in value
            if isinstance(i, dict)
        ]
        hashable = [i for i in ids if isinstance(i, str)]
        return max(worst, OPEN) if len(set(hashable)) < len(hashable) else worst

    def row(self, row: Any) -> Verdict:
        if not isinstance(row, dict):
            return BAD
        worst = GOOD
        for name, value in row.items():
            if name == "prediction_id":
                worst = max(worst, identifier(value))
            elif name == "event_time":
                worst = max(worst, self.time(value))
            elif name in self.columns:
                worst = max(worst, self.feature(name, value))
            else:
                return BAD
        for name in self.columns - set(row):
            worst = max(worst, BAD if self.rules.get(name, {}).get("required") else OPEN)
        return worst

    def feature(self, name: str, value: Any) -> Verdict:
        rule = self.rules.get(name, {})
        if value is None:
            return BAD if rule.get("required") else GOOD
        if name not in self.numeric:
            if not isinstance(value, str):
                return BAD
            if "allowed" in rule and value not in rule["allowed"]:
                return BAD
            return GOOD if plain(value) and len(value) <= 256 else OPEN
        stated = number(value)
        if stated is None:
            return BAD
        if ("min" in rule and stated < rule["min"]) or ("max" in rule and stated > rule["max"]):
            return BAD
        if "allowed" in rule and stated not in [float(text) for text in rule["allowed"]]:
            return BAD
        # A number that a 32-bit float cannot hold reaches no model.
        return GOOD if abs(stated) < 3.4e38 else OPEN

    def time(self, value: Any) -> Verdict:
        if value is None:
            return OPEN
        if isinstance(value, bool) or not isinstance(value, int | str):
            return (
                BAD
                if not isinstance(value, float) or value % 1 or not math.isfinite(value)
                else OPEN
            )
        if isinstance(value, int):
            try:
                when = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=value)
            except OverflowError:
                return BAD
            return self._moment(when)
        try:
            when = dt.datetime.fromisoformat(value)
        except ValueError:
            return BAD if not any(ch.isdigit() for ch in value) else OPEN
        if not SURE_TIME.fullmatch(value):
            return OPEN
        try:
            utc = when.replace(tzinfo=when.tzinfo or dt.UTC).astimezone(dt.UTC)
        except OverflowError:
            return BAD
        return self._moment(utc)

    def _moment(self, when: dt.datetime) -> Verdict:
        slack = dt.timedelta(seconds=120)
        if when > self.now + FUTURE + dt.timedelta(hours=1):
            return BAD
        return GOOD if self.start <= when < self.now + slack else OPEN

    def _feedback(self, value: Any) -> Verdict:
        if not isinstance(value, dict):
            return BAD
        if "events" in value:
            return BAD if set(value) != {"events"} else self.each(value["events"], self.event)
        return self.event(value)

    def event(self, event: Any, cloud: bool = False) -> Verdict:
        known = {"prediction_id", "kind", "value", "event_id", "event_time", "source", "confidence"}
        if not isinstance(event, dict) or not set(event) <= known or "prediction_id" not in event:
            return BAD
        worst = identifier(event["prediction_id"])
        kind = event.get("kind")
        if kind is not None and (not isinstance(kind, str) or kind not in KINDS):
            return BAD
        value = event.get("value")
        if isinstance(value, dict | list):
            return BAD
        if value is None and kind != "rejection":
            return BAD
        worst = max(worst, self._value(kind or "label", value))
        if event.get("event_id") is not None:
            worst = max(worst, identifier(event["event_id"]))
        if "event_time" in event:
            worst = max(worst, self.time(event["event_time"]))
        source = event.get("source")
        if source is not None:
            worst = max(worst, identifier(source))
        confidence = event.get("confidence")
        if confidence is not None:
            share = number(confidence)
            if share is None or not 0 <= share <= 1:
                return BAD
        return max(worst, OPEN) if cloud and "event_id" in event else worst

    def _value(self, kind: str, value: Any) -> Verdict:
        if isinstance(value, int | float) and not isinstance(value, bool) and number(value) is None:
            return BAD
        if kind not in ("label", "correction"):
            return OPEN
        if self.label["kind"] == "binary":
            return GOOD if value in (0, 1) and not isinstance(value, float) else OPEN
        if self.label["kind"] == "multiclass":
            return GOOD if value in self.label["classes"] else OPEN
        return GOOD if not isinstance(value, bool | str) and number(value) is not None else OPEN
