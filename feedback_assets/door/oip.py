"""The Open Inference Protocol, version 2: what KServe's and Triton's clients speak."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from feedback_assets.door.calls import JSON, Call, Reply
from feedback_assets.door.endpoint import admit, body_of
from feedback_assets.door.idempotency import Seed, seed_of
from feedback_assets.door.items import Item
from feedback_assets.door.jsontext import strict
from feedback_assets.door.predicting import Predicting
from feedback_assets.door.problems import Fault, Problem, invalid, unknown_fields
from feedback_assets.door.routes_v1 import PREDICTIONS
from feedback_assets.door.rows import Taken
from feedback_assets.door.state import OpenLoop, Service
from feedback_assets.door.tensors import PREDICTION_TYPES, outputs_of, rows_of

PARTS = ("id", "inputs", "outputs", "parameters")
MAX_ID = 256


class ModelRoutes:
    """The protocol's routes of one loop, or of a name that is none."""

    def __init__(self, service: Service, name: str) -> None:
        self._service = service
        self._name = name
        loop = service.loops.get(name)
        if loop is not None:
            self._predicting = Predicting(service, loop)

    async def metadata(self, call: Call) -> Reply:
        """GET /v2/models/{loop}."""
        loop = admit(self._service, call, self._name, ("predict",))
        champion = loop.engine.state().champion
        label = loop.config.label
        inputs = [
            {"name": name, "datatype": "FP32" if column.numeric else "BYTES", "shape": [-1]}
            for name, column in loop.rows.columns.items()
        ]
        outputs = [
            {"name": "score", "datatype": "FP64", "shape": [-1]},
            {"name": "prediction", "datatype": PREDICTION_TYPES[label.kind], "shape": [-1]},
            {"name": "prediction_id", "datatype": "BYTES", "shape": [-1]},
            {"name": "model_version", "datatype": "BYTES", "shape": [-1]},
        ]
        if label.kind == "multiclass":
            shape = [-1, len(label.classes)]
            outputs.append({"name": "class_scores", "datatype": "FP64", "shape": shape})
        return _json(
            {
                "name": self._name,
                "versions": [str(champion.version)] if champion else [],
                "platform": "onnxruntime_onnx",
                "inputs": inputs,
                "outputs": outputs,
            }
        )

    async def ready(self, call: Call) -> Reply:
        """GET /v2/models/{loop}/ready."""
        loop = admit(self._service, call, self._name, ("predict",))
        ready = loop.engine.state().ready
        return _json({"name": self._name, "ready": ready}, 200 if ready else 503)

    async def infer(self, call: Call) -> Reply:
        """POST /v2/models/{loop}/infer."""
        service = self._service
        loop = admit(service, call, self._name, ("predict",))
        body = b""
        try:
            body, _ = await body_of(loop, call, (JSON,))
            seed = seed_of(call, body)
            tree, rows = _read(loop, body, call.received_us)
            wanted = [one["name"] for one in tree.get("outputs") or []]

            def render(items: list[Item]) -> bytes:
                _refuse_conflicts(items)
                outputs = outputs_of(items, loop.config.label.kind, loop.config.label.classes)
                told: dict[str, Any] = {"model_name": self._name}
                versions = {item.model_version for item in items}
                if len(versions) == 1:  # else the tensor says it for each row
                    told["model_version"] = versions.pop()
                if "id" in tree:
                    told["id"] = tree["id"]
                told["outputs"] = [o for o in outputs if not wanted or o["name"] in wanted]
                return msgspec.json.encode(told)

            async def work(seed: Seed | None) -> Reply:
                return await self._predicting.answer(call, rows, render, seed, "/inputs")

            return await (service.keys.once(seed, work) if seed else work(None))
        except Problem as problem:
            loop.refuse(call, PREDICTIONS, problem, body)
            raise


def server_metadata() -> Reply:
    """GET /v2."""
    try:
        number = version("feedback-assets")
    except PackageNotFoundError:
        number = "0"
    return _json({"name": "feedback-assets", "version": number, "extensions": []})


def _read(loop: OpenLoop, body: bytes, now: int) -> tuple[dict[str, Any], list[Taken]]:
    limits = loop.config.serve.limits
    tree = strict(body, limits.max_depth)
    if not isinstance(tree, dict):
        raise invalid([Fault("", "must be an object with `inputs`")])
    faults = unknown_fields("", tree, PARTS)
    said = tree.get("id", "")
    if not isinstance(said, str) or len(said) > MAX_ID:
        faults.append(Fault("/id", f"must be a text of at most {MAX_ID} characters"))
    if not isinstance(tree.get("parameters", {}), dict):
        faults.append(Fault("/parameters", "must be an object"))
    faults += _output_faults(tree.get("outputs", []), loop.config.label.kind)
    rows, wrong = rows_of(tree.get("inputs"), loop.rows.columns, limits.max_rows)
    if faults or wrong:
        raise invalid([*faults, *wrong])
    places = {one["name"]: i for i, one in enumerate(tree["inputs"])}

    def place(row: int, name: str | None) -> str:
        return f"/inputs/{places[name]}/data/{row}" if name in places else "/inputs"

    return tree, loop.rows.of_trees(rows, now, "/inputs", place)


def _output_faults(outputs: Any, kind: str) -> list[Fault]:
    if not isinstance(outputs, list):
        return [Fault("/outputs", "must be a list")]
    known = ["score", "prediction", "prediction_id", "model_version"]
    known += ["class_scores"] if kind == "multiclass" else []
    return [
        Fault(f"/outputs/{i}", f"must be an object whose name is one of {', '.join(known)}")
        for i, one in enumerate(outputs)
        if not isinstance(one, dict) or one.get("name") not in known
    ]


def _refuse_conflicts(items: list[Item]) -> None:
    """Tensors have no place for a row that was not answered."""
    if any(item.state == "conflict" for item in items):
        words = "a prediction_id is known with other content"
        raise Problem(409, "conflict", words, [Fault("/inputs", words)])


def _json(tree: object, status: int = 200) -> Reply:
    return Reply(status, msgspec.json.encode(tree))
