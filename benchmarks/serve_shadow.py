"""What a challenger in shadow adds to the time in which the champion answers."""

import json
import time
from contextlib import closing

import httpx

from benchmarks.result import Result
from benchmarks.serve_load import (
    ID,
    WARM_SECONDS,
    Load,
    Target,
    details,
    middle,
    ratio,
)
from benchmarks.serve_stack import stack
from benchmarks.serve_world import ServeWorld, serve_world
from feedback_assets.capture.inbox.open import open_reader
from feedback_assets.capture.inbox.records import Stream

CONNECTIONS = 4
"""So many that the service is busy, and so few that an answer's time is its own and no queue's."""
PAIRS, SECONDS = 12, 2
"""Many and short: what is looked for is smaller than a machine's moods."""
SWAP_SECONDS = 30


def measure() -> list[Result]:
    """Mean time of an answer with a challenger in shadow (5% of the rows) and without, in turn."""
    shadowed: list[Load] = []
    alone: list[Load] = []
    with serve_world() as world, stack("whole", world) as door:
        body = json.dumps({"prediction_id": f"p-{ID}", **world.row()})
        target = Target(f"{door}/v1/{world.config.name}/predict", world.token, body)
        target.load(CONNECTIONS, WARM_SECONDS)
        for _ in range(PAIRS):
            for challenger, loads in ((True, shadowed), (False, alone)):
                served(world, door, challenger)
                loads.append(target.load(CONNECTIONS, SECONDS))
        scored = rows_of(world, "shadow")
    assert scored, "nothing was scored in shadow"
    return [
        Result(
            "serve_shadow",
            f"an answer's time with {world.config.serve.routing.shadow_percent:g}% in shadow by "
            "the same without",
            middle(shadowed, "mean"),
            "ms",
            1.05,
            baseline=middle(alone, "mean"),
            ratio=ratio(shadowed, alone, "mean"),
            details={
                **details(shadow=shadowed, alone=alone),
                "scored": scored,
                "ratios": {name: ratio(shadowed, alone, name) for name in ("p50", "p95", "p99")},
            },
        )
    ]


def rows_of(world: ServeWorld, stream: Stream) -> int:
    """Rows of a stream that the service has kept."""
    reader = open_reader(world.settings)
    if reader is None:
        return 0
    with closing(reader):
        return sum(reader.hours(stream, world.config.name, 0, reader.head()).values())


def served(world: ServeWorld, door: str, challenger: bool) -> None:
    """Publish, and wait until the service says the same."""
    world.publish(challenger)
    headers = {"Authorization": f"Bearer {world.token}"}
    until = time.monotonic() + SWAP_SECONDS
    while time.monotonic() < until:
        said = httpx.get(f"{door}/v1/{world.config.name}/model", headers=headers).json()
        if bool(said["challenger"]) is challenger:
            return
        time.sleep(0.05)
    raise RuntimeError(f"the service did not take the manifest: {said['problem']}")
