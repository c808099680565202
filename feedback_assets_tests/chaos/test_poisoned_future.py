"""A replay knows nothing of what comes later: a poisoned future changes nothing before it."""

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import versions
from feedback_assets.assets.space import DATAFLOW
from feedback_assets.simulation.delivery import History
from feedback_assets.simulation.replay import Period, Replay, Step
from feedback_assets_tests.chaos import work
from feedback_assets_tests.worlds import World, moment

DAYS, ROWS = 27, 40
FIRST, START, POISONED, END = "2024-01-01", "2024-01-15", "2024-01-19", "2024-01-27"
EVERY = dt.timedelta(days=4)
TABLES = ("feedback_events", *DATAFLOW, "labeled_pool")
CHANGES: dict[str, Any] = {
    "source": {
        "feedback": {
            "path": "{home}/sources/tiny/feedback",
            "columns": {"value": "label", "received_time": "label_time"},
        }
    },
    "trigger": {
        "when": {"any": [{"drift": {}}, {"new_labels": 150}]},
        "min_new_labels": 40,
        "cooldown_days": 2,
    },
    "model": {"window_days": 12},
}


def history(world: World) -> pd.DataFrame:
    """A labelled history whose truth turns slowly, so that there is something to decide."""
    frames = []
    for position, day in enumerate(World.days(FIRST, DAYS)):
        rows = world.rows(day, n=ROWS)
        chance = np.random.default_rng(position).random(ROWS)
        turned = np.where(chance < position / DAYS, 1 - rows["truth"], rows["truth"])
        frames.append(rows.assign(truth=turned))
    return pd.concat(frames).rename(columns={"truth": "label", "known": "label_time"})


def poisoned(rows: pd.DataFrame) -> pd.DataFrame:
    """The same history, every label that is known after the moment the other way round."""
    later = rows["label_time"] > pd.Timestamp(moment(POISONED))
    return rows.assign(label=np.where(later, 1 - rows["label"], rows["label"]))


@dataclass(frozen=True)
class Known:
    """What a replay has brought about at one moment of it."""

    answers: list[tuple[str, np.ndarray]]
    decisions: list[dict[str, Any]]
    models: dict[int, str]
    tables: work.Digests


def known(world: World, steps: list[Step]) -> Known:
    return Known(
        [(step.champion, step.loop.score) for step in steps],
        [
            {
                "told": (d.kind, d.time, d.version, d.previous_version, d.cause, d.rule, d.reason),
                "evidence": dict(d.evidence),
                "numbers": {name: n for name, n in d.numbers.items() if not math.isnan(n)},
            }
            for d in decisions(world.space)
        ],
        {model.version: model.digest for model in versions(world.space)},
        work.digests(world, TABLES),
    )


def replayed(root: Path, poison: bool) -> Iterator[Known]:
    """What is known when the poison begins, then what is known at the end."""
    world = World(root, **CHANGES)
    world.ready_mlflow()
    rows = history(world)
    path = root / "history.parquet"
    (poisoned(rows) if poison else rows).to_parquet(path, index=False, coerce_timestamps="us")
    period = Period(moment(START), moment(END), EVERY)
    past = History(world.config, world.settings, path)
    replay = Replay(world.loop, past, period, world.instance)
    list(replay.begin())
    steps: list[Step] = []
    for start, end in period.steps():
        steps += [step for step in replay.step(start, end) if isinstance(step, Step)]
        if end == moment(POISONED):
            yield known(world, steps)
    yield known(world, steps)


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> list[Known]:
    return list(replayed(tmp_path_factory.mktemp("clean"), poison=False))


@pytest.fixture(scope="module")
def poison(tmp_path_factory) -> list[Known]:
    return list(replayed(tmp_path_factory.mktemp("poison"), poison=True))


def test_answers_before_the_poison_are_the_same(clean, poison):
    assert clean[0].answers
    for (version, scores), (other_version, other_scores) in zip(
        clean[0].answers, poison[0].answers, strict=True
    ):
        assert version == other_version
        np.testing.assert_array_equal(scores, other_scores)


def test_decisions_before_the_poison_are_the_same(clean, poison):
    assert len(clean[0].decisions) >= 4, "too few decisions to prove anything"
    assert clean[0].decisions == poison[0].decisions


def test_models_before_the_poison_are_the_same(clean, poison):
    assert len(clean[0].models) >= 2
    assert clean[0].models == poison[0].models


def test_tables_before_the_poison_are_the_same(clean, poison):
    assert clean[0].tables == poison[0].tables


def test_the_poison_works_afterwards(clean, poison):
    assert clean[1].tables["feedback_events"] != poison[1].tables["feedback_events"]
    assert clean[1].models != poison[1].models
    assert clean[1].decisions != poison[1].decisions
