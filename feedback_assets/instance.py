"""The Dagster instance that lives in the home."""

import fcntl
import os
import shutil
from pathlib import Path

import dagster as dg

from feedback_assets.settings import Settings

DEFAULTS = Path(__file__).with_name("dagster.yaml")


def prepare_home(settings: Settings) -> Path:
    """Make the home's folders and its `dagster.yaml`; tell every process where they are.

    Returns:
        The instance's folder.
    """
    for folder in (settings.dagster, settings.mlflow, settings.reports, settings.tables):
        folder.mkdir(parents=True, exist_ok=True)
    target = settings.dagster / "dagster.yaml"
    if not target.exists():
        own = settings.configs / "dagster.yaml"
        hidden = target.with_name(f".dagster.{os.getpid()}.tmp")
        shutil.copyfile(own if own.exists() else DEFAULTS, hidden)
        hidden.replace(target)
    os.environ["DAGSTER_HOME"] = str(settings.dagster)
    os.environ["FEEDBACK_ASSETS_HOME"] = str(settings.root)
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "true")
    return settings.dagster


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The home's Dagster instance, made on first use."""
    folder = prepare_home(settings)
    # Of two processes that make the databases at once, Dagster lets one fail.
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return dg.DagsterInstance.get()
