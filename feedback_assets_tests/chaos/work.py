"""What the other processes of these tests do: real runs on a home that several of them share.

Each function runs in a process of its own (see `processes`), which may be killed at any moment.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from feedback_assets.clock import Clock
from feedback_assets.instance import open_instance
from feedback_assets.tables.digest import combine
from feedback_assets_tests.worlds import World

LOG = ("prediction_log", "feedback_events", "feedback_table")
MODEL = ("candidate_model", "promoted_model")
TRIES = 30


def model_libraries() -> None:
    """Import what a training imports: seconds in which nothing is written."""
    import mlflow.onnx  # noqa: F401
    import onnxruntime  # noqa: F401
    import skl2onnx  # noqa: F401
    import sklearn.ensemble  # noqa: F401
    from dagster_mlflow import resources  # noqa: F401


def shared_world(root: Path, now: str | None = None, **changes: Any) -> World:
    """The world of `root` on its home's own Dagster instance.

    Args:
        root: The folder that all processes share.
        now: Where the clock stands; the system's clock if absent.
        changes: As of `World`; the same in every process.
    """
    world = World(root, **changes)
    world.instance = open_instance(world.settings)
    if now is None:
        world.clock = Clock()
    else:
        world.at(now)
    return world


def materialize(
    root: Path,
    now: str | None,
    changes: Mapping[str, Any],
    assets: Sequence[str],
    keys: Sequence[str] = (),
    **tags: str,
) -> str:
    """Materialize assets in one run; returns its id."""
    world = shared_world(root, now, **changes)
    return world.materialize(assets, keys, **tags).run_id


def backfill(root: Path, chunks: Sequence[Sequence[str]]) -> int:
    """Materialize chunk after chunk, each again until it succeeds; returns the failed runs."""
    world = shared_world(root)
    failed = 0
    for chunk in chunks:
        for _ in range(TRIES):
            if world.materialize(LOG, chunk, raise_on_error=False).success:
                break
            failed += 1
        else:
            raise AssertionError(f"{chunk} failed {TRIES} times")
    return failed


def digests(world: World, tables: Sequence[str]) -> dict[str, dict[str, str]]:
    """Table to partition to digest, as the tables say it."""
    return {
        name: {key: info.digest for key, info in world.space.table(name).snapshot().partitions().items()}
        for name in tables
    }
