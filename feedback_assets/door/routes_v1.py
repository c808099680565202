"""The routes below /v1: predict, feedback, one prediction, the models."""

from typing import Any

import msgspec

from feedback_assets.capture.inbox.records import Stream
from feedback_assets.door.calls import JSON, Call, Reply
from feedback_assets.door.cloudevents import (
    BATCHED,
    STRUCTURED,
    attributes,
    envelope_faults,
    feedback_of,
    is_binary,
)
from feedback_assets.door.endpoint import admit, body_of
from feedback_assets.door.events import Event
from feedback_assets.door.feedback import Feedback
from feedback_assets.door.idempotency import Seed, seed_of
from feedback_assets.door.items import all_items, one_item
from feedback_assets.door.jsontext import strict
from feedback_assets.door.moments import iso
from feedback_assets.door.predicting import Predicting
from feedback_assets.door.problems import Fault, Problem, invalid
from feedback_assets.door.rowfaults import ID
from feedback_assets.door.state import OpenLoop, Service

PREDICT_KINDS = (JSON,)
FEEDBACK_KINDS = (JSON, STRUCTURED, BATCHED)
PREDICTIONS: Stream = "refused_predictions"
FEEDBACK: Stream = "refused_feedback"


class LoopRoutes:
    """The handlers of one loop, or of a name that is none."""

    def __init__(self, service: Service, name: str) -> None:
        self._service = service
        self._name = name
        loop = service.loops.get(name)
        if loop is not None:
            self._predicting = Predicting(service, loop)
            self._feedback = Feedback(service, loop)

    async def predict(self, call: Call) -> Reply:
        """POST /v1/{loop}/predict."""
        service = self._service
        loop = admit(service, call, self._name, ("predict",))
        body = b""
        try:
            body, _ = await body_of(loop, call, PREDICT_KINDS)
            seed = seed_of(call, body)
            rows, many = loop.rows.read(body, call.received_us)
            render, base = (all_items, "/rows") if many else (one_item, "")

            async def work(seed: Seed | None) -> Reply:
                return await self._predicting.answer(call, rows, render, seed, base)

            return await (service.keys.once(seed, work) if seed else work(None))
        except Problem as problem:
            loop.refuse(call, PREDICTIONS, problem, body)
            raise

    async def feedback(self, call: Call) -> Reply:
        """POST /v1/{loop}/feedback."""
        service = self._service
        loop = admit(service, call, self._name, ("feedback",))
        body = b""
        try:
            body, kind = await body_of(loop, call, FEEDBACK_KINDS)
            seed = seed_of(call, body)
            if kind != JSON or is_binary(call):
                events, many = _enveloped(loop, call, body, kind)
            else:
                events, many = loop.events.read(body, call.received_us)

            async def work(seed: Seed | None) -> Reply:
                return await self._feedback.take(call, events, many, seed)

            return await (service.keys.once(seed, work) if seed else work(None))
        except Problem as problem:
            loop.refuse(call, FEEDBACK, problem, body)
            raise

    async def prediction(self, call: Call) -> Reply:
        """GET /v1/{loop}/predictions/{id}."""
        admit(self._service, call, self._name, ("predict", "review"))
        key = call.scope["path_params"]["id"]
        body = None
        if ID.match(key):
            body = await self._service.inbox.find("predictions", self._name, key)
        if body is None:
            words = "no prediction of that id is in the inbox; the tables may hold an older one"
            raise Problem(404, "no-prediction", words)
        said: dict[str, Any] = msgspec.json.decode(body)
        told = {
            "prediction_id": said.pop("id"),
            "event_time": iso(said.pop("event_us")),
            "received_time": iso(said.pop("received_us")),
        }
        for private in ("principal", "stick"):
            said.pop(private, None)
        return Reply(200, msgspec.json.encode(told | said))

    async def model(self, call: Call) -> Reply:
        """GET /v1/{loop}/model."""
        loop = admit(self._service, call, self._name, ("predict", "review"))
        state = loop.engine.state()
        told: dict[str, Any] = {"loop": self._name, "generation": state.generation}
        for role in ("champion", "previous", "challenger"):
            held = getattr(state, role)
            told[role] = held and {k: v for k, v in held._asdict().items() if v is not None}
        told["ready"] = state.ready
        # The words may name folders of this machine: they are for those who look after it.
        may_review = call.principal.may("review", self._name)
        told["problem"] = state.problem if may_review or not state.problem else "see the log"
        return Reply(200, msgspec.json.encode(told))


def _enveloped(loop: OpenLoop, call: Call, body: bytes, kind: bytes) -> tuple[list[Event], bool]:
    """The feedback in CloudEvents, and whether they are a batch."""
    tree = strict(body, loop.config.serve.limits.max_depth)
    limit = loop.config.serve.limits.max_rows
    if kind == BATCHED:
        if not isinstance(tree, list) or not 1 <= len(tree) <= limit:
            raise invalid([Fault("", f"must be a list of 1 to {limit} CloudEvents")])
        envelopes, bases = tree, [f"/{i}" for i in range(len(tree))]
    elif kind == STRUCTURED:
        envelopes, bases = [tree], [""]
    else:
        # The attributes are headers, so the body is the data and pointers start at it.
        envelopes, bases = [{**attributes(call), "data": tree}], [""]
    faults = [
        fault
        for envelope, base in zip(envelopes, bases, strict=True)
        for fault in envelope_faults(envelope, base)
    ]
    if faults:
        raise invalid(faults)
    where = [f"{base}/data" if kind != JSON else base for base in bases]
    trees = [feedback_of(envelope) for envelope in envelopes]
    return loop.events.of_trees(trees, call.received_us, where), kind == BATCHED
