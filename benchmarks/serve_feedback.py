"""What it costs to validate and keep a feedback event, beside a server that only echoes it."""

import json

from benchmarks.result import Result
from benchmarks.serve_load import ID, Target, details, in_turn, middle, ratio
from benchmarks.serve_stack import stack
from benchmarks.serve_world import serve_world

CONNECTIONS = 64


def measure() -> list[Result]:
    """Requests a second of both, on one machine in one run; the same bodies go to both."""
    body = json.dumps({"prediction_id": f"p-{ID}", "value": 1})
    with serve_world() as world, stack("whole", world) as door, stack("echo", world) as bare:
        path = f"/v1/{world.config.name}/feedback"
        ours, theirs = in_turn(
            Target(door + path, world.token, body),
            Target(bare + path, world.token, body),
            CONNECTIONS,
        )
    return [
        Result(
            "serve_feedback",
            f"feedback validated and on disk by bare echo, {CONNECTIONS} connections",
            middle(ours, "rate"),
            "requests/s",
            0.30,
            baseline=middle(theirs, "rate"),
            ratio=ratio(ours, theirs, "rate"),
            least=True,
            details=details(door=ours, echo=theirs),
        )
    ]
