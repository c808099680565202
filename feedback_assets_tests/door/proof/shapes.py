"""Valid requests of every surface, made from rows and events."""

import datetime as dt
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
Row = dict[str, Any]


@dataclass(frozen=True)
class Ask:
    """One request: what to send, and where its validity is told."""

    surface: str
    target: str
    tree: Any
    """The body before it is written as JSON; bytes where it is no JSON."""
    headers: Mapping[str, str | bytes] = field(default_factory=lambda: {"content-type": JSON})

    @property
    def body(self) -> bytes:
        return self.tree if isinstance(self.tree, bytes) else json.dumps(self.tree).encode()


class Shapes:
    """Draws valid requests for one loop."""

    def __init__(self, loop: str, row: Callable[[int], Row], seed: int = 0) -> None:
        self._loop = loop
        self._row = row
        self._draw = random.Random(seed)
        self._count = 0

    def any(self) -> Ask:
        """Draw a request of any surface."""
        return self._draw.choice(self.all)()

    @property
    def all(self) -> list[Callable[[], Ask]]:
        return [
            self.predict, self.predict_rows, self.feedback, self.feedback_events, self.cloud_event,
            self.cloud_batch, self.cloud_binary, self.infer, self.split, self.records,
            self.instances, self.inputs,
        ]  # fmt: skip

    def row(self) -> Row:
        self._count += 1
        return dict(self._row(self._draw.randrange(500)))

    def stated_row(self) -> Row:
        """A row with an id and a time of its own."""
        return self.row() | {"prediction_id": self._id("p"), "event_time": self._time()}

    def event(self) -> Row:
        self._count += 1
        kind = self._draw.choice(["label", "correction", None])
        event: Row = {"prediction_id": self._id("p"), "value": self._draw.choice([0, 1])}
        if kind:
            event["kind"] = kind
        if self._draw.random() < 0.7:
            event |= {"event_id": self._id("e"), "event_time": self._time()}
        if self._draw.random() < 0.5:
            event |= {"source": "clerk", "confidence": 0.5}
        return event

    def predict(self) -> Ask:
        return Ask("predict", f"/v1/{self._loop}/predict", self.stated_row())

    def predict_rows(self) -> Ask:
        return Ask("predict", f"/v1/{self._loop}/predict", {"rows": self._some(self.stated_row)})

    def feedback(self) -> Ask:
        return Ask("feedback", f"/v1/{self._loop}/feedback", self.event())

    def feedback_events(self) -> Ask:
        return Ask("feedback", f"/v1/{self._loop}/feedback", {"events": self._some(self.event)})

    def cloud_event(self) -> Ask:
        kind = {"content-type": "application/cloudevents+json"}
        return Ask("cloud_event", f"/v1/{self._loop}/feedback", self._cloud(), kind)

    def cloud_batch(self) -> Ask:
        kind = {"content-type": "application/cloudevents-batch+json"}
        return Ask("cloud_batch", f"/v1/{self._loop}/feedback", self._some(self._cloud), kind)

    def cloud_binary(self) -> Ask:
        self._count += 1
        headers = {
            "content-type": JSON,
            "ce-specversion": "1.0",
            "ce-id": self._id("c"),
            "ce-source": "/shop/tills",
            "ce-type": "feedback",
            "ce-time": self._time(),
        }
        event = {"prediction_id": self._id("p"), "value": 1}
        return Ask("cloud_binary", f"/v1/{self._loop}/feedback", event, headers)

    def infer(self) -> Ask:
        rows = self._some(self.row)
        tensors = []
        for name in rows[0]:
            # The protocol's tensors have no null.
            filler = "de" if name == "country" else 0.0
            data = [filler if row[name] is None else row[name] for row in rows]
            kind = "BYTES" if any(isinstance(v, str) for v in data) else "FP64"
            tensors.append({"name": name, "shape": [len(rows)], "datatype": kind, "data": data})
        tree = {"id": self._id("oip"), "inputs": tensors}
        return Ask("infer", f"/v2/models/{self._loop}/infer", tree)

    def split(self) -> Ask:
        rows = self._some(self.row)
        names = list(rows[0])
        data = [[row[name] for name in names] for row in rows]
        return self._invoked({"dataframe_split": {"columns": names, "data": data}})

    def records(self) -> Ask:
        return self._invoked({"dataframe_records": self._some(self.row)})

    def instances(self) -> Ask:
        return self._invoked({"instances": self._some(self.row)})

    def inputs(self) -> Ask:
        rows = self._some(self.row)
        return self._invoked({"inputs": {name: [row[name] for row in rows] for name in rows[0]}})

    def _invoked(self, tree: Any) -> Ask:
        return Ask("invocations", "/invocations", tree)

    def _cloud(self) -> Row:
        self._count += 1
        event = {"prediction_id": self._id("p"), "value": self._draw.choice([0, 1])}
        return {
            "specversion": "1.0", "id": self._id("c"), "source": "/shop/tills", "type": "feedback",
            "time": self._time(), "datacontenttype": JSON, "data": event,
        }  # fmt: skip

    def _some(self, make: Callable[[], Row]) -> list[Row]:
        return [make() for _ in range(self._draw.randint(1, 4))]

    def _id(self, prefix: str) -> str:
        return f"{prefix}-{self._draw.getrandbits(64):016x}"

    def _time(self) -> str:
        ago = dt.timedelta(seconds=self._draw.uniform(1, 3_000_000))
        return (dt.datetime.now(dt.UTC) - ago).isoformat()
