"""What is counted, how it reads to Prometheus, and that it neither costs much nor goes down."""

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from feedback_assets.door.metrics import Meters
from feedback_assets.serving.answer import Answer
from feedback_assets.serving.engine import Engine
from feedback_assets_tests.door.counted import FakeInbox, parsed, value


def answer(version: str = "3", arm: str = "champion", by: str = "champion") -> Answer:
    return Answer(
        prediction_id="p", score=0.5, class_scores=None, prediction=1, model_version=version,
        model_digest=None, arm=arm, answered_by=by, propensity=1.0, warning=None,
    )  # fmt: skip


class FakeEngine:
    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.champion: Any = SimpleNamespace(version=4, stage=None)
        self.challenger: Any = SimpleNamespace(version=5, stage="canary")

    def state(self) -> Any:
        return SimpleNamespace(
            champion=self.champion, previous=None, challenger=self.challenger, counts=self.counts
        )

    def as_engine(self) -> Engine:
        return cast("Engine", self)


def test_every_required_name_reads_as_prometheus_expects(tmp_path: Path) -> None:
    meters, engine = Meters(["shop"]), FakeEngine()
    meters.watch("shop", engine.as_engine())
    meters.watch_inbox(FakeInbox().as_inbox(), tmp_path)
    loop = meters.loop("shop")
    loop.predicted([answer(), answer(), answer("default", by="default")], 0.003)
    loop.predicted([answer("5", "canary", "challenger")], 0.2)
    loop.feedback(None, "accepted", 3)
    loop.feedback("rating", "repeated")
    loop.wrote(0.2)
    loop.wrote(0.004)
    loop.quarantined(2)
    loop.limited()
    route = meters.route("/v1/{loop}/predict", "POST")
    route.seen(200, 0.2)
    route.seen(200, 0.21)
    route.seen(422, 11)
    meters.refused("token")
    engine.counts = {"swaps": 2, "shadow_dropped": 1, "fallback_cache": 4}
    found = parsed(meters.render())
    assert value(found, "prediction_success_total", model="shop") == 3
    by = {"model": "shop", "version": "3", "arm": "champion", "answered_by": "champion"}
    assert value(found, "model_predictions_total", **by) == 2
    assert value(found, "model_prediction_latency_seconds_count", model="shop") == 2
    assert (
        value(found, "feedback_samples_total", model="shop", outcome="accepted", kind="label") == 3
    )
    assert (
        value(found, "feedback_samples_total", model="shop", outcome="repeated", kind="rating") == 1
    )
    assert value(found, "feedback_write_latency_seconds_sum", model="shop") == pytest.approx(0.204)
    assert value(found, "feedback_write_latency_seconds_bucket", model="shop", le="0.005") == 1
    assert value(found, "feedback_write_latency_seconds_bucket", model="shop", le="0.2") == 2
    ok = {"route": "/v1/{loop}/predict", "method": "POST", "status": "200"}
    assert value(found, "request_latency_seconds_bucket", **ok, le="0.1") == 0
    assert value(found, "request_latency_seconds_bucket", **ok, le="0.2") == 1
    assert value(found, "request_latency_seconds_bucket", **ok, le="+Inf") == 2
    assert value(found, "request_latency_seconds_count", **{**ok, "status": "422"}) == 1
    assert value(found, "door_requests_refused_total", reason="token") == 1
    assert value(found, "quarantined_total", model="shop") == 2
    assert value(found, "rate_limited_total", model="shop") == 1
    assert value(found, "model_swaps_total", model="shop") == 2
    assert value(found, "shadow_dropped_total", model="shop") == 1
    assert value(found, "shadow_scored_total", model="shop") == 0
    assert value(found, "fallback_answers_total", model="shop", kind="cache") == 4
    assert value(found, "model_version", model="shop", stage="prod") == 4
    assert value(found, "model_version", model="shop", stage="canary") == 5
    assert ("model_version", (("model", "shop"), ("stage", "previous"))) not in found
    assert value(found, "inbox_rows_waiting") == 7
    assert value(found, "inbox_free_bytes") > 0
    assert value(found, "inbox_stopped") == 0
    assert value(found, "process_open_fds") > 0


def test_a_folder_that_is_gone_takes_no_other_metric_along(tmp_path: Path) -> None:
    meters = Meters(["shop"])
    meters.watch_inbox(FakeInbox().as_inbox(), tmp_path / "gone")
    found = parsed(meters.render())
    assert value(found, "inbox_rows_waiting") == 7
    assert ("inbox_free_bytes", ()) not in found


def test_counters_of_a_loop_are_there_before_anything_happens() -> None:
    found = parsed(Meters(["shop"]).render())
    for name in (
        "prediction_success_total", "quarantined_total", "rate_limited_total",
        "feedback_write_latency_seconds_count",
    ):  # fmt: skip
        assert value(found, name, model="shop") == 0
    assert (
        value(found, "feedback_samples_total", model="shop", outcome="accepted", kind="label") == 0
    )


def test_what_is_saved_comes_back_and_goes_on() -> None:
    first, engine = Meters(["shop"]), FakeEngine()
    first.watch("shop", engine.as_engine())
    engine.counts = {"swaps": 3}
    first.loop("shop").feedback('odd "kind"\n', "accepted", 5)
    first.route("/ready", "GET").seen(200, 0.3)
    saved = json.loads(json.dumps(first.saved()))
    second = Meters(["shop", "flights"])
    second.restore(saved)
    assert parsed(second.render()).items() >= {
        key: number for key, number in parsed(first.render()).items()
        if not key[0].startswith(("process_", "model_version"))
    }.items()  # fmt: skip
    again = FakeEngine()
    again.counts = {"swaps": 1}
    second.watch("shop", again.as_engine())
    second.loop("shop").feedback('odd "kind"\n', "accepted")
    second.route("/ready", "GET").seen(200, 0.3)
    found = parsed(second.render())
    assert value(found, "model_swaps_total", model="shop") == 4
    assert (
        value(found, "request_latency_seconds_count", route="/ready", method="GET", status="200")
        == 2
    )
    odd = {"model": "shop", "outcome": "accepted", "kind": 'odd "kind"\n'}
    assert value(found, "feedback_samples_total", **odd) == 6


def test_strange_saved_counters_are_left_out() -> None:
    meters = Meters(["shop"])
    before = meters.saved()
    meters.restore(
        {
            "saved_at": 1.0, "": 1.0, "[": 1.0, "[1,2]": 1.0, '["gone",["x"],""]': 1.0,
            '["quarantined",["shop","more"],""]': 1.0,
            '["request_latency_seconds",["r","GET","200"],"0.3"]': 1.0,
        }
    )  # fmt: skip
    assert meters.saved() == before


def test_recording_a_request_takes_less_than_three_microseconds() -> None:
    meters = Meters(["shop"])
    loop, route = meters.loop("shop"), meters.route("/v1/{loop}/predict", "POST")
    answers = [answer()]
    best = 1.0
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(1_000):
            loop.predicted(answers, 0.0004)
            route.seen(200, 0.004)
        best = min(best, (time.perf_counter() - start) / 1_000)
    assert best < 3e-6
