"""A world in which version 2 is tried against version 1, and what the service would have logged."""

import datetime as dt
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from feedback_assets.assets.ledger import decisions, record
from feedback_assets.assets.models import champion, model_version
from feedback_assets.assets.serving_log import columns
from feedback_assets.assets.trial import Look, Trial, look
from feedback_assets.assets.trial_rows import TrialRows, trial_rows
from feedback_assets.assets.typed import cast_sql
from feedback_assets.config.schema import Config
from feedback_assets.promotion.decisions import Decision, Kind
from feedback_assets.promotion.rollout import candidacy, lead
from feedback_assets.tables.connection import connect, registered
from feedback_assets.tables.table import Cause
from feedback_assets_tests.worlds import World, moment

STAGE_BEGAN = "2024-01-24"
NOW = "2024-02-03"
VALUES = {"1": {"1": 2.0, "0": -5.0}, "0": {"1": -1.0}}
"""Worth of an answer: a good thing found, missed, and a false alarm."""


def turned_world(root: Path, kind: str = "binary", **changes: Any) -> World:
    """Version 1 learned one world; since 9 January it is the opposite one, which version 2 learned.

    Seven more days are predicted from the 24th on, when version 2 goes into shadow; their labels
    are in by 3 February, and that is now.
    """
    shutil.copytree(template(kind), root, dirs_exist_ok=True)
    world = World(root, kind, **usual(kind), **changes)
    world.at(NOW)
    return world


@cache
def template(kind: str) -> Path:
    """The folder of such a world, made once a process."""
    root = Path(tempfile.mkdtemp(prefix="turned-world-"))
    world = World(root, kind, **usual(kind))
    world.first_model()
    live(world, "2024-01-09", 11)
    world.at(STAGE_BEGAN)
    world.dataflow("2024-01-09", 15)
    world.materialize(["labeled_pool", "candidate_model"])
    live(world, STAGE_BEGAN, 7)
    world.at(NOW)
    world.dataflow(STAGE_BEGAN, 11)
    return root


def usual(kind: str) -> dict[str, Any]:
    """Changes of the file that these worlds have in common."""
    worth = {"expression": "-abs(label - score)"} if kind == "regression" else {"values": VALUES}
    return {
        "model": {"window_days": 7},
        "decide": {"unit": "row"},
        "kpi": {"unit": "EUR", **worth},
        "rollout": {"stages": ["shadow", "canary"], "watch": {"days": 30, "unit": "row"}},
    }


def live(world: World, first: str, days: int, turned: bool = True) -> pd.DataFrame:
    """Days of predictions by version 1, with the opposite truth if the world has turned."""
    frames = []
    for day in world.days(first, days):
        rows = world.rows(day, version="1")
        if turned:
            truth = rows["truth"]
            rows = rows.assign(truth=-truth if world.kind == "regression" else 1 - truth)
        world.predict(rows, f"p-{day}")
        world.feed(rows, f"f-{day}")
        frames.append(rows)
    return pd.concat(frames, ignore_index=True)


def decide(
    world: World,
    kind: Kind,
    version: int,
    before: int | None,
    at: str,
    evidence: Mapping[str, Any] | None = None,
    **details: Any,
) -> Decision:
    """Record a decision as the rollout would."""
    return record(
        world.space,
        Decision(
            loop=world.space.name,
            kind=kind,
            time=moment(at),
            cause="test",
            rule="test",
            reason="test",
            evidence={"version": version, "at": at, **(evidence or {})},
            version=str(version),
            previous_version=str(before) if before else None,
            actor="person:test",
            details=details,
        ),
    )


def into_stage(world: World, version: int, at: str, stage: str, **details: Any) -> Decision:
    """Let a candidate pass the gates, against the champion and by the file of now, and enter a stage."""
    known, before = decisions(world.space), champion(world.space)
    assert before is not None
    asked = {"lead": lead(known), "config_digest": world.space.config_digest}
    if candidacy(known, str(version), world.space.config_digest).gate is None:
        decide(world, "gate", version, before.version, at, asked)
    return decide(world, "stage", version, before.version, at, stage=stage, **details)


def served(
    ids: Sequence[str], at: str, every: dt.timedelta = dt.timedelta(minutes=1), **values: Any
) -> pd.DataFrame:
    """Rows of the serving log from a moment on: by default the champion's own answers."""
    times = pd.Timestamp(moment(at)) + every * pd.RangeIndex(len(ids)).to_series()
    return pd.DataFrame(
        {
            "prediction_id": list(ids),
            "role": "served",
            "event_time": times.to_numpy(),
            "received_time": times.to_numpy(),
            "arm": "champion",
            "answered_by": "champion",
            "model_version": "1",
            "latency_us": 2_000,
            "score": 0.5,
            "prediction": 1,
            "partition_key": times.dt.strftime("%Y-%m-%d").to_numpy(),
        }
    ).assign(**values)


def log_served(world: World, rows: pd.DataFrame) -> None:
    """Put rows into the serving log; the days that they touch hold nothing else then."""
    wanted = columns(world.config)
    frame = rows.reindex(columns=list(wanted))
    for name in ("event_time", "received_time"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    with connect(world.settings) as con, registered(con, "fa_served", frame):
        world.space.table("serving_log").replace(
            con,
            cast_sql("fa_served", wanted),
            sorted(frame["partition_key"].unique()),
            Cause("", "test", {}),
        )


def trial(world: World, **changes: object) -> Trial:
    """Version 2 tried against version 1, from when its stage began."""
    one, two = (model_version(world.space, version) for version in (1, 2))
    return Trial(**{"kind": "trial", "champion": one, "challenger": two,
                    "since": moment(STAGE_BEGAN), **changes})  # type: ignore[arg-type]  # fmt: skip


def rows_of(world: World, asked: Trial, now: str = NOW, spent: tuple[str, ...] = ()) -> TrialRows:
    """The rows of a trial at a moment."""
    with connect(world.settings) as con:
        return trial_rows(world.space, con, asked.models, asked.after, moment(now), spent)


def look_at(world: World, asked: Trial, now: str = NOW) -> Look:
    """A look at a trial at a moment."""
    with connect(world.settings) as con:
        return look(world.space, con, asked, moment(now))


def other_config(world: World, section: str, **values: object) -> World:
    """The same home, asked by another file."""
    part = getattr(world.config, section).model_copy(update=values)
    changed: Config = world.config.model_copy(update={section: part})
    twin = object.__new__(World)
    twin.__dict__ = {**world.__dict__, "config": changed}
    twin.loop = type(world.loop)(changed, world.settings)
    return twin
