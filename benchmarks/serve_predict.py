"""What durability costs a prediction: the same service with an inbox that keeps nothing."""

import json

from benchmarks.result import Result
from benchmarks.serve_load import ID, Target, details, in_turn, middle, ratio
from benchmarks.serve_stack import stack
from benchmarks.serve_world import serve_world

CONNECTIONS = 16


def measure() -> list[Result]:
    """Requests a second of both, and the slowest hundredth of the durable answers."""
    with serve_world() as world, stack("whole", world) as door, stack("instant", world) as other:
        path = f"/v1/{world.config.name}/predict"
        body = json.dumps({"prediction_id": f"p-{ID}", **world.row()})
        ours, theirs = in_turn(
            Target(door + path, world.token, body),
            Target(other + path, world.token, body),
            CONNECTIONS,
        )
    return [
        Result(
            "serve_predict",
            f"predictions on disk by predictions kept nowhere, {CONNECTIONS} connections",
            middle(ours, "rate"),
            "requests/s",
            0.50,
            baseline=middle(theirs, "rate"),
            ratio=ratio(ours, theirs, "rate"),
            least=True,
            details=details(durable=ours, instant=theirs),
        ),
        Result(
            "serve_predict_p99",
            f"99 of 100 predictions on disk are faster, {CONNECTIONS} connections",
            middle(ours, "p99"),
            "ms",
            50.0,
            baseline=middle(theirs, "p99"),
            judged="value",
            details={"each": [load.p99 for load in ours]},
        ),
    ]
