"""One row scored as the service does it, beside the estimator that it was exported from."""

import time
from collections.abc import Callable
from statistics import median

import pandas as pd

from benchmarks.result import Result
from benchmarks.serve_world import serve_world
from feedback_assets.serving.scorer import RowScorer

CALLS, ROUNDS = 50, 7


def measure() -> list[Result]:
    """Microseconds a row: ours from what a request holds, the estimator's from a ready frame."""
    with serve_world() as world:
        champion, row = world.champion, world.row()
        scorer = RowScorer(champion.model)
        frame = champion.spec.prepare(pd.DataFrame([row]))

        def ours() -> float:
            return scorer.score([row])[0].score

        def theirs() -> float:
            return float(champion.pipeline.predict_proba(frame)[0, 1])

        assert abs(ours() - theirs()) < world.config.model.parity_tolerance
        each = [(micros(ours), micros(theirs)) for _ in range(ROUNDS)][1:]
    return [
        Result(
            "serve_onnx",
            "one row scored by ONNX; the ratio is the estimator's time by this",
            median(mine for mine, _ in each),
            "µs",
            20.0,
            baseline=median(other for _, other in each),
            ratio=median(other / mine for mine, other in each),
            least=True,
            details={"estimator": champion.estimator, "features": len(champion.spec.names)},
        )
    ]


def micros(call: Callable[[], float]) -> float:
    """The median time of a call."""
    spent = []
    for _ in range(CALLS):
        begin = time.perf_counter()
        call()
        spent.append(time.perf_counter() - begin)
    return median(spent) * 1e6
