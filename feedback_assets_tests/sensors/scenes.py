"""Situations that sensors meet, made without training, and what a tick asked for in short."""

import json
from typing import Any

import dagster as dg
import pandas as pd
from dagster._core.definitions.sensor_definition import SensorExecutionData

from feedback_assets.assets.ledger import record
from feedback_assets.assets.space import CAUSE_TAG
from feedback_assets.promotion.decisions import Decision, Kind
from feedback_assets_tests.worlds import World, moment


def asked(tick: SensorExecutionData) -> list[tuple[str, str, str]]:
    """Assets, first and last partition of every run that a tick asked for."""
    found = []
    for request in tick.run_requests or ():
        assets = " ".join(key.path[-1] for key in request.asset_selection or ())
        first = request.tags.get("dagster/asset_partition_range_start", "")
        found.append((assets, first, request.tags.get("dagster/asset_partition_range_end", "")))
    return found


def causes(tick: SensorExecutionData) -> list[str]:
    return [request.tags[CAUSE_TAG] for request in tick.run_requests or ()]


def keys(tick: SensorExecutionData) -> list[str | None]:
    return [request.run_key for request in tick.run_requests or ()]


def decide(world: World, kind: Kind, version: int, when: str, told: str = "") -> None:
    """Put a decision into the ledger, as if a run had taken it for what a sensor told it."""
    decision = Decision(
        loop=world.space.name,
        kind=kind,
        time=moment(when),
        cause="test",
        rule="test",
        reason="test",
        evidence={"version": version, "told": told, "training_digest": f"d{version}"},
        version=str(version),
    )
    record(world.space, decision)


def pretend_model(world: World, version: int, as_of: str) -> None:
    """A version's manifest where trained models lie; nothing that could answer."""
    folder = world.space.models / str(version)
    folder.mkdir(parents=True)
    manifest: dict[str, Any] = {"as_of": moment(as_of).isoformat(), "onnx_digest": f"d{version}"}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def tell(world: World, asset: str, partition: str | None = None, **metadata: Any) -> None:
    """An event as if a run had materialized the asset."""
    world.instance.report_runless_asset_event(
        dg.AssetMaterialization(world.space.key(asset), partition=partition, metadata=metadata)
    )


def judge(
    world: World,
    day: str,
    verdict: str,
    columns: int = 1,
    version: int = 1,
    weight: float | None = None,
) -> None:
    """A day's drift verdict as its event tells it."""
    weights = {} if weight is None else {"drift_weight": weight}
    tell(
        world,
        "drift_report",
        day,
        verdict=verdict,
        drifted_columns=columns,
        digest=f"{verdict}-{day}",
        reference=version,
        reason=f"size moved on {day}",
        **weights,
    )


def labels(world: World, days: int = 8) -> pd.DataFrame:
    """Forty labelled predictions a day from the start, joined, as of four days after them."""
    rows = world.live("2024-01-01", days)
    world.at(f"2024-01-{days + 4:02d}")
    keys = world.days("2024-01-01", days + 3)
    world.materialize(["prediction_log"], keys)
    world.materialize(["feedback_events", "feedback_table"], keys)
    return rows
