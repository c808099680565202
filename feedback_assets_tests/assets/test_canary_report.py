"""What the service did in each arm, and the report that tells of every trial and watch."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from feedback_assets.assets.models import model_version
from feedback_assets.assets.service_figures import ServiceFigures, service_figures
from feedback_assets.assets.trial import Trial, look
from feedback_assets.assets.trial_rules import stage_rules
from feedback_assets.assets.trial_scores import scored
from feedback_assets.tables.connection import connect
from feedback_assets_tests.assets.trials import (
    STAGE_BEGAN,
    decide,
    into_stage,
    log_served,
    served,
    turned_world,
)
from feedback_assets_tests.worlds import World, moment

NOW = "2024-02-03"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return turned_world(tmp_path)


def ids(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{i}" for i in range(count)]


def figures(
    world: World, since: str, now: str = NOW, watched: bool = False, score: bool = False
) -> ServiceFigures | None:
    two = model_version(world.space, 2)
    with connect(world.settings) as con:
        log = world.space.table("prediction_log").snapshot()
        days = ["2024-01-24"] if score else []
        scores = scored(world.space, con, two, log, days)
        return service_figures(world.space, con, two, moment(since), moment(now), scores, watched)


def test_there_are_no_figures_where_nobody_asks(world: World) -> None:
    assert figures(world, STAGE_BEGAN) is None
    log_served(world, served(ids("old", 5), "2024-01-20"))
    assert figures(world, STAGE_BEGAN) is None


def test_the_arms_are_told_apart_with_their_errors_and_times(world: World) -> None:
    canary: dict[str, Any] = {"arm": "canary", "answered_by": "challenger", "model_version": "2"}
    fell_back: dict[str, Any] = {"arm": "canary", "warning": "the challenger failed"}
    cached: dict[str, Any] = {"answered_by": "cache", "warning": "from the cache"}
    log_served(
        world,
        pd.concat(
            [
                served(ids("a", 96), "2024-01-24T01:00"),
                served(ids("s", 2), "2024-01-24T02:00", arm="shadow"),
                served(ids("c", 2), "2024-01-24T03:00", **cached),
                served(ids("b", 47), "2024-01-24T04:00", latency_us=6_000, **canary),
                served(ids("f", 3), "2024-01-24T05:00", latency_us=90_000, **fell_back),
                served(ids("e", 9), "2024-01-24T06:00", arm="explore", latency_us=10**9),
                served(ids("o", 9), "2024-01-24T07:00", **{**canary, "model_version": "7"}),
                served(ids("t", 9), "2024-01-20T07:00", **canary),
            ]
        ),
    )
    found = figures(world, STAGE_BEGAN)
    assert found is not None
    assert found.challenger is not None
    assert (found.champion.requests, found.champion.others) == (100, 2)
    assert (found.challenger.requests, found.challenger.others) == (50, 3)
    assert found.error_excess == pytest.approx(0.06 - 0.02)
    assert found.challenger.p50_ms == 6
    assert found.challenger.p99_ms == 90
    assert found.champion.p95_ms == 2
    assert found.challenger.p95_ms is not None
    assert found.latency_ratio == pytest.approx(found.challenger.p95_ms / 2)
    assert found.challenger.warnings == {"the challenger failed": 3}
    assert found.champion.warnings == {"from the cache": 2}


def test_shadow_scores_are_held_against_those_from_the_log(world: World) -> None:
    two = model_version(world.space, 2)
    table = world.frame("feedback_table")
    day = table[table["partition_key"] == "2024-01-24"].reset_index(drop=True).tail(10)
    said = two.load().score(day).score
    said[0] += 0.25
    shadow = served(
        day["prediction_id"].tolist(), "2024-01-24T12:00",
        role="shadow", arm=None, answered_by=None, model_version="2", latency_us=400,
    ).assign(score=said)  # fmt: skip
    log_served(world, pd.concat([served(ids("a", 3), "2024-01-24T12:00", arm="shadow"), shadow]))
    unscored = figures(world, STAGE_BEGAN)
    assert unscored is not None
    assert unscored.shadow is not None
    assert (unscored.shadow.compared, unscored.shadow.largest_difference) == (0, None)
    found = figures(world, STAGE_BEGAN, score=True)
    assert found is not None
    assert found.challenger is None
    assert found.shadow is not None
    assert (found.shadow.scores, found.shadow.compared, found.shadow.agreeing) == (10, 10, 9)
    assert found.shadow.largest_difference == pytest.approx(0.25)
    assert found.shadow.p95_ms == 0.4


def test_a_watch_compares_with_a_time_as_long_before_the_promotion(world: World) -> None:
    log_served(
        world,
        pd.concat(
            [
                served(ids("x", 50), "2024-01-27T00:00", answered_by="previous"),
                served(ids("a", 20), "2024-01-29T00:00"),
                served(ids("b", 10), "2024-01-31T00:00", model_version="2", latency_us=3_000),
                served(ids("p", 2), "2024-01-31T01:00", answered_by="previous"),
            ]
        ),
    )
    found = figures(world, "2024-01-31T00:00", "2024-02-02", watched=True)
    assert found is not None
    assert found.challenger is not None
    assert (found.champion.requests, found.champion.others) == (19 + 1, 0)
    assert (found.challenger.requests, found.challenger.others) == (11, 2)


def test_without_a_trial_the_report_says_so_and_adds_nothing(world: World) -> None:
    world.materialize(["canary_report"])
    told = world.metadata("canary_report")
    assert told["tried"] == "nobody is tried now"
    assert told["dagster/row_count"] == 0
    assert world.versions()["canary_report"] == -1
    assert world.versions()["trial_rows"] == -1


def test_each_day_of_a_trial_has_one_row_with_its_figures(world: World) -> None:
    into_stage(world, 2, STAGE_BEGAN, "shadow")
    world.materialize(["canary_report"])
    world.materialize(["canary_report"])
    (row,) = world.frame("canary_report").to_dict("records")
    assert (row["trial"], row["stage"], row["labels"]) == ("trial-2-against-1", "shadow", 400)
    assert row["verdict"] == "promote"
    assert row["gain_low"] < row["gain"] < row["gain_high"]
    assert row["champion_loss"] - row["challenger_loss"] == pytest.approx(row["gain"])
    assert row["kpi_challenger"] > row["kpi_champion"]
    world.at("2024-02-04T06:00")
    world.materialize(["canary_report"])
    assert len(world.frame("canary_report")) == 2

    told = world.metadata("canary_report")
    assert told["tried"] == "trial-2-against-1"
    assert told["trial_verdict"] == "promote"
    assert told["trial_gain"].startswith("![gain per row by labels](data:image/png;base64,")
    assert [r["met"] for r in told["trial_rules"]] == ["true", "true", "true"]
    page = world.space.reports / "trials" / "trial-2-against-1.html"
    text = page.read_text("utf-8")
    assert "v2 may take the place of v1" in text
    assert text.count('<span class="pill stable">may take over</span></td>') == 2
    names = {column.name for column in told["dagster/column_schema"].columns}
    described = {c.name for c in told["dagster/column_schema"].columns if c.description}
    assert names - described <= {"reason"}


def test_after_a_promotion_the_watch_is_told_beside_a_new_trial(world: World) -> None:
    into_stage(world, 2, STAGE_BEGAN, "shadow")
    decide(world, "promote", 2, 1, "2024-01-25")
    world.materialize(["canary_report"])
    (row,) = world.frame("canary_report").to_dict("records")
    assert (row["trial"], row["kind"], row["verdict"]) == ("watch-2-against-1", "watch", "wait")
    (shown,) = world.metadata("canary_report")["looks"]
    assert (shown["labels"], shown["verdict"]) == (row["labels"], "wait")
    text = (world.space.reports / "trials" / "watch-2-against-1.html").read_text("utf-8")
    assert "v2 serves; nothing proves it worse than v1" in text


def test_what_is_not_known_yet_is_empty(world: World) -> None:
    into_stage(world, 2, STAGE_BEGAN, "shadow")
    decide(world, "promote", 2, 1, NOW)
    world.materialize(["canary_report"])
    (shown,) = world.metadata("canary_report")["looks"]
    assert (shown["labels"], shown["gain"]) == (0, "")
    (row,) = world.frame("canary_report").to_dict("records")
    assert np.isnan(row["gain"])


def test_the_rules_of_a_canary_are_told_with_what_was_seen(world: World) -> None:
    canary: dict[str, Any] = {"arm": "canary", "answered_by": "challenger", "model_version": "2"}
    log_served(
        world,
        pd.concat(
            [
                served(ids("a", 300), "2024-01-24T01:00"),
                served(ids("b", 210), "2024-01-24T08:00", latency_us=6_000, **canary),
            ]
        ),
    )
    one, two = (model_version(world.space, version) for version in (1, 2))
    tried = Trial("trial", one, two, moment(STAGE_BEGAN), stage="canary")
    with connect(world.settings) as con:
        found = look(world.space, con, tried, moment("2024-01-25"))
    rules = {rule.name: rule for rule in stage_rules(world.config, found)}
    assert rules["requests"].met is True
    assert rules["answered by others, beyond the champion's share"].met is True
    slow = rules["95th percentile latency, by the champion's"]
    assert (slow.met, slow.seen) == (False, "3.00 times")
    assert rules["days in this stage"].seen == "1.0"
    with connect(world.settings) as con:
        silent = look(world.space, con, tried, moment(STAGE_BEGAN) + dt.timedelta(minutes=1))
    unknown = [rule.met for rule in stage_rules(world.config, silent)]
    assert unknown[:3] == [False, None, None]


def test_names_from_the_file_never_become_markup(tmp_path: Path) -> None:
    evil = '<script>alert(1)</script>"x'
    world = turned_world(tmp_path, title=evil)
    log_served(world, served(ids("a", 3), "2024-01-24T01:00", warning=evil))
    into_stage(world, 2, STAGE_BEGAN, "shadow")
    world.materialize(["canary_report"])
    text = (world.space.reports / "trials" / "trial-2-against-1.html").read_text("utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_a_killed_run_is_made_good_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    into_stage(world, 2, STAGE_BEGAN, "shadow")
    with monkeypatch.context() as patch:
        patch.setattr("feedback_assets.assets.canary_report.write", lambda *_: 1 / 0)
        assert not world.materialize(["canary_report"], raise_on_error=False).success
    assert world.versions()["trial_rows"] >= 0
    assert world.versions()["canary_report"] == -1
    world.materialize(["canary_report"])
    assert np.isfinite(world.frame("canary_report")["gain"]).all()
