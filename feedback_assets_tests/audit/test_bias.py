"""The bias audit: figures of the answers that were given, in the period, with a label or without."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from feedback_assets.audit.bias import bias_audit, bias_document
from feedback_assets.audit.render import to_html
from feedback_assets.tables.connection import connect, registered
from feedback_assets.tables.table import Cause
from feedback_assets_tests.worlds import World, moment

FAIR = {"fairness": {"min_disparate_impact": 0.8, "max_equal_opportunity_difference": 0.1}}
SINCE, UNTIL = moment("2024-02-01"), moment("2024-03-01")


def answered(
    day: str, group: str, positive: int, negative: int, found: float = 1.0
) -> pd.DataFrame:
    """One day's answers of a group; `found` of the truly positive ones were found."""
    answers = np.repeat([1, 0], [positive, negative])
    truth = answers.copy()
    truth[positive : positive + round(positive * (1 / found - 1))] = 1
    time = pd.Timestamp(moment(day)) + pd.to_timedelta(np.arange(len(answers)), unit="s")
    return pd.DataFrame(
        {
            "prediction_id": [f"{day}-{group}-{i:04d}" for i in range(len(answers))],
            "event_time": time, "role": "served", "model_version": "1", "prediction": answers,
            "label": truth, "label_status": "accepted", "sex": group, "partition_key": day,
        }
    )  # fmt: skip


def stored(world: World, *frames: pd.DataFrame) -> None:
    """Put answers into the feedback table."""
    rows = pd.concat(frames, ignore_index=True)
    rows["event_time"] = rows["event_time"].astype("datetime64[us, UTC]")
    cause = Cause("run", "tiny/feedback_table", {})
    with connect(world.settings) as con, registered(con, "given", rows):
        keys = sorted(set(rows["partition_key"]))
        world.space.table("feedback_table").replace(con, "SELECT * FROM given", keys, cause)


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path, columns={"protected": ["sex"]}, gate={**FAIR, "resamples": 200})


def test_the_figures_are_those_of_the_answers(world):
    stored(
        world,
        answered("2024-02-05", "a", 50, 50),
        answered("2024-02-06", "b", 30, 70, found=0.75),
        answered("2024-01-05", "b", 0, 100),
    )
    audit = bias_audit(world.space, SINCE, UNTIL)
    assert (audit["rows"], audit["labelled"], audit["versions"]) == (200, 200, {"1": 200})
    (entry,) = audit["fairness"]
    assert entry["disparate_impact"]["served"]["value"] == pytest.approx(0.3 / 0.5)
    apart = entry["equal_opportunity_difference"]["served"]
    assert apart["value"] == pytest.approx(1 - 0.75)
    assert apart["lower"] <= apart["value"] <= apart["upper"]
    document = bias_document(audit, world.config)
    assert (document.state, document.tone) == ("limits missed", "bad")
    assert len(document.replies[1].told) == 2
    json.dumps(audit, allow_nan=False)


def test_an_answer_counts_before_its_label_has_come(world):
    rows = answered("2024-02-05", "b", 20, 80)
    rows.loc[50:, "label_status"] = "pending"
    stored(world, answered("2024-02-05", "a", 50, 50).assign(partition_key="2024-02-05"), rows)
    audit = bias_audit(world.space, SINCE, UNTIL)
    assert (audit["rows"], audit["labelled"]) == (200, 150)
    (entry,) = audit["fairness"]
    assert entry["disparate_impact"]["served"]["value"] == pytest.approx(0.4)


def test_even_treatment_is_within_the_limits(world):
    stored(world, answered("2024-02-05", "a", 50, 50), answered("2024-02-06", "b", 48, 52))
    document = bias_document(bias_audit(world.space, SINCE, UNTIL), world.config)
    assert (document.state, document.tone) == ("within limits", "good")


def test_a_group_name_never_becomes_markup(world):
    evil = "<img src=x onerror=alert(1)>"
    stored(world, answered("2024-02-05", evil, 50, 50), answered("2024-02-06", "b", 50, 50))
    html = to_html(bias_document(bias_audit(world.space, SINCE, UNTIL), world.config))
    assert "<img" not in html
    assert "onerror=alert" in html


def test_the_last_moment_is_not_in_the_period(world):
    stored(world, answered("2024-02-05", "a", 50, 50))
    assert bias_audit(world.space, SINCE, moment("2024-02-05"))["rows"] == 0
    one = bias_audit(world.space, SINCE, moment("2024-02-05") + dt.timedelta(seconds=1))
    assert one["rows"] == 1


@pytest.mark.parametrize(
    ("kind", "columns", "words"),
    [
        ("binary", {}, "columns.protected names no attribute"),
        ("regression", {"protected": ["sex"]}, "there is no positive answer"),
        ("binary", {"protected": ["sex"]}, "nothing was answered"),
    ],
)
def test_what_cannot_be_said_is_said_so(tmp_path, kind, columns, words):
    world = World(tmp_path, kind, columns=columns)
    audit = bias_audit(world.space, SINCE, UNTIL)
    assert words in audit["reason"]
    assert words in bias_document(audit, world.config).state
