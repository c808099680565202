"""Drift put in on known days is named by column and date; nothing else is, and harm is seen."""

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest
import yaml
from rich.console import Console

from feedback_assets.config.load import load_loop
from feedback_assets.instance import open_instance
from feedback_assets.loop import FeedbackLoop
from feedback_assets.settings import Settings
from feedback_assets.simulation.delivery import Disturbance, History
from feedback_assets.simulation.replay import Period
from feedback_assets.simulation.simulate import Simulation
from feedback_assets.simulation.synthetic import (
    CONCEPT_DAY,
    MEAN_SHIFT_DAY,
    NEW_CATEGORY,
    NEW_CATEGORY_DAY,
    NULLS_DAY,
    START,
    energy_history,
)
from feedback_assets.tables.connection import connect

pytestmark = [pytest.mark.study]
SHIPPED = Path("configs/loops/energy.yaml")
NEVER = {"when": {"every_days": 10_000}}


def day(number: int) -> str:
    """A partition key by its number."""
    return (START + dt.timedelta(days=number)).isoformat()


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    """The shipped loop with one model for ever, so that every drift is against the same days."""
    root = tmp_path_factory.mktemp("injected")
    settings = Settings(home=root / "home", configs=root / "configs")
    file = settings.configs / "loops" / "energy.yaml"
    file.parent.mkdir(parents=True)
    told = yaml.safe_load(SHIPPED.read_text("utf-8")) | {"trigger": NEVER}
    file.write_text(yaml.safe_dump(told), encoding="utf-8")
    config = load_loop(file, {})
    data = energy_history(root / "energy.parquet", days=112)
    start = dt.datetime.combine(START, dt.time(), dt.UTC)
    period = Period(
        start + dt.timedelta(days=38), start + dt.timedelta(days=108), dt.timedelta(days=14)
    )
    history = History(config, settings, data, Disturbance())
    with open_instance(settings) as instance:
        made = Simulation(
            FeedbackLoop(config, settings), history, period, instance, Console(quiet=True)
        )
        made.run()
    return made


def table(replayed: Simulation, name: str) -> pd.DataFrame:
    """All rows of one of the loop's tables."""
    space = replayed.space
    with connect(space.settings) as con:
        relation = space.table(name).snapshot().relation()
        return con.execute(f"SELECT * FROM {relation} ORDER BY partition_key").df()


def drifted(replayed: Simulation, column: str) -> pd.DataFrame:
    """Days on which a column is said to drift, over all rows."""
    rows = table(replayed, "drift_report")
    here = rows[(rows["segment"] == "") & (rows["column_name"] == column)]
    return here[here["status"].isin(["drift", "broken"])].set_index("partition_key")


@pytest.mark.parametrize(
    ("column", "begun", "words"),
    [
        ("temperature", MEAN_SHIFT_DAY, "sd higher"),
        ("humidity", NULLS_DAY, "null from 1"),
        ("building", NEW_CATEGORY_DAY, "unseen categories from 0% to"),
    ],
)
def test_the_column_and_the_date_are_named(replayed, column, begun, words):
    found = drifted(replayed, column)
    first = found.iloc[0]
    assert day(begun) <= found.index[0] <= day(begun + 2), "found within three days"
    assert first["since"] == day(begun)
    assert words in first["reason"]
    assert found.index[-1] == day(107), "and said until the end"


def test_no_other_feature_is_blamed(replayed):
    rows = table(replayed, "drift_report")
    blamed = rows[
        (rows["status"] == "drift") & (rows["role"] == "feature") & (rows["segment"] == "")
    ]
    assert set(blamed["column_name"]) == {"temperature", "humidity", "building"}
    assert not (blamed["partition_key"] < day(MEAN_SHIFT_DAY)).any()


def test_the_new_category_is_kept_by_name(replayed):
    assert NEW_CATEGORY in drifted(replayed, "building")["unseen"].iloc[-1]


def test_only_labels_show_the_concept_change_and_the_split_says_so(replayed):
    findings = table(replayed, "findings").set_index("partition_key")
    concept = findings[findings["kind"] == "concept"]
    assert concept.index.min() >= day(NEW_CATEGORY_DAY)
    assert concept.index.max() > day(CONCEPT_DAY)
    report = table(replayed, "performance_report")
    whole = report[(report["segment"] == "") & (report["model_version"] == "")]
    late = whole[(whole["metric"] == "mae") & (whole["period"] == "day")]
    last = late[late["partition_key"] == day(100)].set_index("kind")["value"]
    assert last["realised"] > 1.2 * last["estimated"], "the estimate cannot see it"
    splits = findings[(findings["kind"] == "drop_split") & (findings.index >= day(CONCEPT_DAY))]
    if len(splits):
        parts = splits.set_index("subject")["value"]
        assert parts["concept change"] > 0
