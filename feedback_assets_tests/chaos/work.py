"""What the other processes of these tests do: real runs on a home that several of them share.

Work is done in a process of its own (see `processes`), which may be killed at any moment.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from feedback_assets.clock import Clock
from feedback_assets.instance import open_instance
from feedback_assets_tests.worlds import World

LOG = ("prediction_log", "feedback_events", "feedback_table")
MODEL = ("candidate_model", "promoted_model")
TRIES = 30

Digests = dict[str, dict[str, str]]


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
    tags: Mapping[str, str] = MappingProxyType({}),
) -> Callable[[], str]:
    """The work of materializing assets in one run; it returns the run's id."""
    world = shared_world(root, now, **changes)
    assert world.job
    return lambda: world.materialize(assets, keys, **tags).run_id


def backfill(
    root: Path, chunks: Sequence[Sequence[str]], until: Path | None = None
) -> Callable[[], int]:
    """The work of materializing chunk after chunk, each again until it succeeds.

    It returns how often a run failed.

    Args:
        root: The folder that all processes share.
        chunks: Partitions of one run each.
        until: All chunks are done again and again, until there is this file.
    """
    world = shared_world(root)

    def run() -> int:
        failed = sum(succeed(world, chunk) for chunk in chunks)
        while until is not None and not until.exists():
            failed += sum(succeed(world, chunk) for chunk in chunks)
        return failed

    return run


def succeed(world: World, keys: Sequence[str]) -> int:
    """Materialize partitions until it succeeds; returns how often it failed before."""
    for failed in range(TRIES):
        if world.materialize(LOG, keys, raise_on_error=False).success:
            return failed
    raise AssertionError(f"{keys} failed {TRIES} times")


def digests(world: World, tables: Sequence[str]) -> Digests:
    """Table to partition to digest, as the tables say it."""
    return {
        name: {
            key: info.digest
            for key, info in world.space.table(name).snapshot().partitions().items()
        }
        for name in tables
    }
