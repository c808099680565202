"""The audited sample of labels, and what is wrong with a candidate's days."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from feedback_assets.assets.gate_facts import concerned, data_problems
from feedback_assets.assets.label_audit import is_audit_sql, label_audit
from feedback_assets.assets.models import ModelVersion
from feedback_assets.promotion.gates import LabelAudit
from feedback_assets.tables.connection import connect
from feedback_assets_tests.assets.poisons import SECTIONS
from feedback_assets_tests.promotion.loops import loop_config
from feedback_assets_tests.worlds import World, moment

DAY = "2024-01-01"
GATE = {"label_quality": {"min_share": 0.9, "auditors": ["auditor", "second"]}}


def made(root: Path, **changes: Any) -> World:
    return World(root, **{"source": SECTIONS["source"], "gate": GATE, **changes})


def audited(world: World, until: str = "2024-01-09", days: list[str] | None = None) -> Any:
    with connect(world.settings) as con:
        return label_audit(world.space, con, moment(until), days)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Forty predictions; a clerk labels the first thirty, of which auditors look at twelve again."""
    world = made(tmp_path_factory.mktemp("audited"))
    rows = world.rows(DAY)
    world.predict(rows, "p")
    world.predict(world.rows("2024-01-02"), "p2")
    world.feed(rows[:30], "clerk", source="clerk")
    other = rows.assign(truth=1 - rows["truth"])
    late = {"received_time": "2024-01-05T12:00:00"}
    world.feed(rows[:8], "agree", source="auditor", **late)
    world.feed(other[8:10], "differ", source="auditor", kind="correction", **late)
    # The first auditor was wrong here: the newest audit counts.
    world.feed(other[10:12], "first", source="auditor", **late)
    world.feed(rows[10:12], "again", source="second", received_time="2024-01-06T12:00:00")
    world.feed(rows[35:], "alone", source="auditor", **late)
    world.feed(rows[12:14], "rated", source="auditor", kind="rating", **late)
    world.at("2024-01-09")
    world.materialize(["prediction_log"], world.days(DAY, 2))
    world.materialize(["feedback_events"], world.days(DAY, 8))
    return world


def test_auditors_are_compared_with_the_others(world: World) -> None:
    assert audited(world) == LabelAudit(rows=12, right=10)


def test_nothing_is_known_before_it_was_received(world: World) -> None:
    assert audited(world, "2024-01-06T00:00") == LabelAudit(rows=12, right=8)
    assert audited(world, "2024-01-05T00:00") == LabelAudit(rows=0, right=0)


def test_only_predictions_of_the_days_asked_about_count(world: World) -> None:
    assert audited(world, days=[DAY]) == LabelAudit(rows=12, right=10)
    assert audited(world, days=["2024-01-02"]) == LabelAudit(rows=0, right=0)


def test_without_auditors_or_without_feedback_nothing_is_known(
    world: World, tmp_path: Path
) -> None:
    nobody = made(world.root, gate={"label_quality": {"min_share": 0.9}})
    assert audited(nobody) is None
    made(world.root)  # the file as it was
    assert audited(made(tmp_path)) is None


@pytest.mark.parametrize(
    ("per_day", "source", "principal", "counts"),
    [
        (5, "audit", "people", True),
        (5, "audit", "person:ann", True),
        (5, "audit", "token:app", False),
        (5, "audit", None, False),
        (5, "review", "person:ann", False),
        (5, "desk", None, True),
        (5, None, None, False),
        (0, "audit", None, True),
        (0, "audit", "people", True),
    ],
)
def test_where_people_are_asked_only_they_audit(
    per_day: int, source: str | None, principal: str | None, counts: bool
) -> None:
    gate = {"label_quality": {"min_share": 0.9, "auditors": ["desk", "audit"]}}
    config = loop_config(review={"per_day": per_day}, gate=gate)
    found = duckdb.execute(
        f"SELECT {is_audit_sql(config)} FROM (SELECT ?::TEXT AS source, ?::TEXT AS principal)",
        [source, principal],
    ).fetchone()
    assert found == (counts,)


def test_numbers_are_compared_as_numbers(tmp_path: Path) -> None:
    world = World(tmp_path, "regression", source=SECTIONS["source"], gate=GATE)
    rows = world.rows(DAY, n=4).assign(truth=["1.50", "2", "3", "4"])
    world.predict(rows, "p")
    world.feed(rows, "clerk", source="clerk")
    again = rows.assign(truth=["1.5", "2.0", "3", "4.01"])
    world.feed(again, "audit", source="auditor", received_time="2024-01-05T12:00:00")
    world.at("2024-01-09")
    world.materialize(["prediction_log"], [DAY])
    world.materialize(["feedback_events"], world.days(DAY, 8))
    assert audited(world) == LabelAudit(rows=4, right=3)


def problems(world: World, days: list[str]) -> tuple[str, ...] | None:
    with connect(world.settings) as con:
        return data_problems(world.space, con, days, world.clock.now())


def test_the_contract_is_looked_at_again(world: World, tmp_path: Path) -> None:
    assert problems(world, world.days(DAY, 2)) == ()
    assert problems(world, []) is None
    assert problems(world, ["2024-01-02", "2024-01-03"]) == (
        "2024-01-03: prediction_log was never materialized",
    )
    bad = made(tmp_path)
    rows = bad.rows(DAY)
    rows.loc[:19, "size"] = 99.0  # the file allows 50 at most
    bad.predict(rows, "p")
    bad.feed(rows.assign(known=pd.NaT)[:20], "f", source="clerk")
    bad.at("2024-01-05")
    for asset in ("prediction_log", "feedback_events"):
        bad.materialize([asset], [DAY], raise_on_error=False)
    found = problems(bad, [DAY])
    assert found is not None
    assert "20 of 40 rows refused" in found[0]


def test_only_days_that_a_candidate_concerns_are_looked_at(world: World, tmp_path: Path) -> None:
    pool = {"partitions": {day: {} for day in world.days(DAY, 3)}}
    manifest = {"train_start": "2024-01-02T09:00:00+00:00", "pool": pool}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert concerned(world.space, ModelVersion(1, tmp_path)) == ["2024-01-02", "2024-01-03"]
