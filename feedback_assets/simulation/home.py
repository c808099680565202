"""Making room for a replay: only what a replay itself has made is ever removed."""

import json
import shutil
from pathlib import Path
from typing import get_args

import dagster as dg

from feedback_assets.assets.receipts import Receipts
from feedback_assets.assets.space import LOOP_TAG, LoopSpace
from feedback_assets.capture.inbox.forget import forget_loop
from feedback_assets.capture.inbox.open import open_reader
from feedback_assets.capture.inbox.records import Stream
from feedback_assets.errors import FeedbackAssetsError
from feedback_assets.review.store import store_path
from feedback_assets.simulation.delivery import Delivery
from feedback_assets.training.registry import forget_model

RUNS_AT_ONCE = 500


def marker(space: LoopSpace) -> Path:
    """The file that says that a loop's state comes from a replay."""
    return space.settings.root / "simulated" / f"{space.name}.json"


def make_room(space: LoopSpace, instance: dg.DagsterInstance) -> None:
    """Remove an earlier replay of the loop; leave a mark that what follows is one.

    Raises:
        FeedbackAssetsError: The loop holds data that did not come from a replay.
    """
    delivery = Delivery(space.config, space.settings)
    folders = [
        space.settings.tables / space.name,
        space.models,
        space.reports,
        delivery.folder("predictions"),
        delivery.folder("feedback"),
        space.settings.landing / space.name,
        space.settings.serving / space.name,
    ]
    used = [folder for folder in folders if folder.is_dir() and any(folder.iterdir())]
    used += [space.settings.inbox] if waits(space) else []
    if used and not marker(space).exists():
        raise FeedbackAssetsError(
            f"{space.name} holds real data ({used[0]}): a replay would mix with it. "
            "Set FEEDBACK_ASSETS_HOME to another folder for the replay"
        )
    if marker(space).exists():
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        questions = store_path(space.settings.root, space.name).parent
        for folder in (space.settings.ledger, questions):
            for file in folder.glob(f"{space.name}.*"):
                file.unlink()
        forget_loop(space.settings, space.name)
        Receipts(space).forget()
        _forget_runs(space, instance)
        forget_model(space.settings, space.name)
    marker(space).parent.mkdir(parents=True, exist_ok=True)
    marker(space).write_text(json.dumps({"loop": space.name}), encoding="utf-8")


def waits(space: LoopSpace) -> bool:
    """Whether the inbox holds rows of the loop."""
    reader = open_reader(space.settings)
    if reader is None:
        return False
    try:
        return any(reader.hours(name, space.name, 0, reader.head()) for name in get_args(Stream))
    finally:
        reader.close()


def _forget_runs(space: LoopSpace, instance: dg.DagsterInstance) -> None:
    keys = [key for key in instance.all_asset_keys() if key.path[0] == space.name]
    if keys:
        instance.wipe_assets(keys)
    while runs := instance.get_runs(dg.RunsFilter(tags={LOOP_TAG: space.name}), limit=RUNS_AT_ONCE):
        for run in runs:
            instance.delete_run(run.run_id)
