"""A loop whose candidates can be poisoned: leaking and biased columns, wrong labels, bad exports."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from feedback_assets.assets.examination import suite_of
from feedback_assets.assets.gate_facts import gate_facts
from feedback_assets.assets.ledger import record
from feedback_assets.assets.models import ModelVersion, champion, model_version, versions
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.gates import GateCheck, check_gates
from feedback_assets.tables.connection import connect
from feedback_assets.training.onnx_model import OnnxModel
from feedback_assets_tests.worlds import LOOP, World

ROWS = 150
DAYS = 8
HONEST = ["size", "speed", "colour"]
SECTIONS: dict[str, Any] = {
    "source": {
        "feedback": {
            **LOOP["source"]["feedback"],
            "columns": {**LOOP["source"]["feedback"]["columns"], "source": "source"},
        }
    },
    "columns": {"numeric": ["size", "speed", "stamp", "postcode"], "protected": ["people"]},
    "model": {"features": HONEST},
    "evaluation": {"latency_rows": 20, "repeats": 1, "scenarios": []},
    "gate": {
        "segment_min_rows": 50,
        "latency": {"p95_ms": 60},
        "size": {"max_mb": 1},
        "fairness": {"min_disparate_impact": 0.7, "max_equal_opportunity_difference": 0.25},
        "reliance": {"max_share": 0.9},
        "label_quality": {"min_share": 0.9, "min_rows": 50, "auditors": ["auditor"]},
    },
}


class PoisonedWorld(World):
    """A world with two more columns that no honest model reads, and people that are unlike.

    `stamp` is written when the truth is known: it leaks it. `postcode` tells the two kinds of people
    apart; what is said of those of kind b is, unjustly, seldom good.
    """

    def __init__(self, root: Path, **changes: Mapping[str, Any]) -> None:
        sections = {name: {**SECTIONS.get(name, {}), **part} for name, part in changes.items()}
        super().__init__(root, **{**SECTIONS, **sections})

    def rows(self, day: str, n: int = ROWS, **options: Any) -> pd.DataFrame:
        """One day's rows."""
        frame = super().rows(day, n, **options)
        rng = np.random.default_rng([7, int(frame["event_time"].iloc[0].timestamp()) // 86_400])
        people = rng.choice(["a", "b"], n)
        unjust = (people == "b") & (rng.random(n) < 0.5)
        truth = np.where(unjust, 0, frame["truth"])
        return frame.assign(
            truth=truth,
            stamp=np.round(10 * truth + rng.normal(0, 0.5, n), 6),
            postcode=np.round((people == "b") + rng.normal(0, 0.1, n), 6),
            people=people,
        )

    def feed(self, rows: pd.DataFrame, name: str, kind: str = "label", **values: Any) -> Path:
        """Feedback says who gave it."""
        return super().feed(rows, name, kind, **{"source": "clerk", **values})

    def begin(self, wrong: float = 0.0) -> None:
        """Live for some days; a share of the labels of all days but the held-out ones is wrong."""
        self.ready_mlflow()
        frames = []
        for at, day in enumerate(self.days("2024-01-01", DAYS)):
            rows = self.rows(day)
            self.predict(rows, f"p-{day}")
            said = rows
            if at < DAYS - 3 and wrong:
                flipped = np.random.default_rng(at).random(len(rows)) < wrong
                said = rows.assign(truth=np.where(flipped, 1 - rows["truth"], rows["truth"]))
            self.feed(said, f"f-{day}")
            frames.append(rows)
        audited = pd.concat(frames).iloc[:: 1 + DAYS * ROWS // 100]
        later = audited["known"] + pd.Timedelta(hours=1)
        self.feed(audited, "audits", source="auditor", received_time=later.array)
        self.at("2024-01-12")
        self.dataflow("2024-01-01", DAYS + 3)
        self.materialize(["labeled_pool"])

    def beside(self, **changes: Mapping[str, Any]) -> "PoisonedWorld":
        """The same home with another file, as if somebody had edited it."""
        other = PoisonedWorld(self.root, **changes)
        other.at(self.clock.now().isoformat())
        return other

    def candidate(self) -> ModelVersion:
        """Train one by the asset."""
        self.materialize(["candidate_model"])
        return versions(self.space)[-1]

    def promote(self, model: ModelVersion) -> None:
        """Make a version the champion, without asking anybody."""
        record(
            self.space,
            Decision(
                loop=self.space.name,
                kind="promote",
                time=self.clock.now(),
                version=str(model.version),
                cause="test",
                rule="no champion",
                reason="the first",
                evidence={"candidate": model.digest},
            ),
        )

    def refused_by(self, candidate: ModelVersion, staged: bool = True) -> dict[str, GateCheck]:
        """The gates that a candidate fails beside the champion of now."""
        with connect(self.settings) as con:
            suite = suite_of(self.space, con, candidate, champion(self.space))
            facts = gate_facts(self.space, con, candidate, self.clock.now())
        now = self.clock.now()
        checks = check_gates(self.space.config, suite, facts, (), now, staged)
        return {check.name: check for check in checks if not check.passed}

    def with_model(self, of: ModelVersion, content: bytes, version: int) -> ModelVersion:
        """A version whose file is another, as if it had been trained so."""
        folder = self.space.models / str(version)
        shutil.copytree(of.folder, folder, ignore=shutil.ignore_patterns("evaluation-*"))
        (folder / "model.onnx").write_bytes(content)
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        manifest |= {"version": version, "onnx_digest": OnnxModel.load(content).digest}
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        return model_version(self.space, version)


def slowed(content: bytes, turns: int = 150_000) -> bytes:
    """The same answers, after a loop that does nothing, in each call."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_model_from_string(content)
    graph = model.graph
    output = graph.output[-1].name
    for node in graph.node:
        node.output[:] = ["answer_before" if name == output else name for name in node.output]
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Mul", ["so_far", "one"], ["further"]),
        ],
        "turn",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("so_far", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("further", TensorProto.FLOAT, [1]),
        ],
    )
    constants = {
        "turns": np.array(turns, dtype=np.int64),
        "always": np.array(True),
        "one": np.array([1], dtype=np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in constants.items())
    graph.node.extend(
        [
            helper.make_node("Loop", ["turns", "always", "one"], ["turned"], body=body),
            helper.make_node("Mul", ["answer_before", "turned"], [output]),
        ]
    )
    return bytes(model.SerializeToString())


def reordered(content: bytes) -> bytes:
    """The graph reads its inputs in another order than the file says."""
    import onnx

    model = onnx.load_model_from_string(content)
    inputs = [*model.graph.input][::-1]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return bytes(model.SerializeToString())
