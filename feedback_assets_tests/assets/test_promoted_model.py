"""Champion and candidate through real runs: first, better, not better, crashed, repeated."""

import sqlite3

import dagster as dg
import onnx
import pandas as pd
import pytest

from feedback_assets.assets import projections
from feedback_assets.assets.examination import fresh_rows
from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import champion, model_version
from feedback_assets.errors import ServingError
from feedback_assets.tables.connection import connect
from feedback_assets_tests.worlds import World

JUDGE = ["labeled_pool", "candidate_model", "promoted_model"]


def aliases(world: World) -> dict[str, int]:
    with sqlite3.connect(world.settings.mlflow / "mlflow.db") as con:
        return dict(con.execute("SELECT alias, version FROM registered_model_aliases"))


def second_candidate(world: World, flipped: set[str]) -> None:
    """Eleven more days, some with the opposite truth, and a candidate trained on all of them."""
    world.first_model()
    for day in world.days("2024-01-09", 11):
        rows = world.rows(day, version="1")
        truth = 1 - rows["truth"] if day in flipped else rows["truth"]
        world.predict(rows, f"p-{day}")
        world.feed(rows.assign(truth=truth), f"f-{day}")
    world.at("2024-01-24")
    world.dataflow("2024-01-09", 15)
    world.materialize(JUDGE)


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The world has turned, and version 2 was trained on the new one."""
    world = World(tmp_path_factory.mktemp("promoted"), model={"window_days": 7})
    second_candidate(world, set(world.days("2024-01-09", 11)))
    return world


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Version 2 was trained on wrong labels."""
    world = World(tmp_path_factory.mktemp("refused"), model={"window_days": 7})
    second_candidate(world, set(world.days("2024-01-09", 8)))
    return world


def test_the_first_model_is_promoted_by_rule(refused: World) -> None:
    first = decisions(refused.space, "promote")[0]
    assert (first.version, first.previous_version, first.rule) == ("1", None, "no champion")
    assert first.time < decisions(refused.space, "refuse")[0].time


def test_a_candidate_that_is_no_better_is_refused_and_that_is_a_success(refused: World) -> None:
    told = refused.metadata("promoted_model")
    assert (told["decision"], told["candidate"], told["champion"]) == ("refuse", 2, 1)
    assert told["onnx_digest"] == model_version(refused.space, 1).digest
    assert "log loss" in told["reason"]
    assert aliases(refused) == {"candidate": 2, "champion": 1}
    serving = champion(refused.space)
    assert serving is not None
    assert serving.version == 1


def test_a_better_candidate_takes_the_champions_place(promoted: World) -> None:
    told = promoted.metadata("promoted_model")
    assert (told["decision"], told["champion"]) == ("promote", 2)
    assert aliases(promoted) == {"candidate": 2, "champion": 2, "previous": 1}
    newest = decisions(promoted.space, "promote")[-1]
    assert (newest.version, newest.previous_version) == ("2", "1")
    assert newest.numbers["lower"] > 0
    assert newest.evidence["candidate"] != newest.evidence["champion"]
    notes = promoted.space.reports / "decisions" / "version-2.md"
    assert newest.reason[1:] in notes.read_text("utf-8")


def test_both_are_compared_on_the_same_rows_that_neither_learned_from(promoted: World) -> None:
    told = promoted.metadata("promoted_model")
    candidate = model_version(promoted.space, 2)
    pool = promoted.frame("labeled_pool", candidate.manifest["pool"]["version"])
    fresh = pool[pool["split"] == "holdout"]
    assert told["dagster/row_count"] == len(fresh) == 120
    newest = max(candidate.train_end, model_version(promoted.space, 1).train_end)
    assert fresh["event_time"].min() > pd.Timestamp(newest)
    evidence = decisions(promoted.space, "promote")[-1].evidence
    assert evidence["candidate"] != evidence["champion"]


def test_a_candidate_is_judged_on_its_own_pool_and_never_on_what_the_champion_learned(
    promoted: World,
) -> None:
    first, second = (model_version(promoted.space, version) for version in (1, 2))
    with connect(promoted.settings) as con:
        own = fresh_rows(promoted.space, con, first, None)
        after = fresh_rows(promoted.space, con, first, second)
    assert set(own["partition_key"]) == {"2024-01-06", "2024-01-07", "2024-01-08"}
    assert after.empty


def test_a_decision_is_taken_once(promoted: World) -> None:
    before = promoted.versions()["decisions"], len(decisions(promoted.space))
    promoted.materialize(["promoted_model"])
    promoted.materialize(["promoted_model"], **{"feedback_assets/evidence": '{"asked": "again"}'})
    assert (promoted.versions()["decisions"], len(decisions(promoted.space))) == before
    told = promoted.metadata("promoted_model")
    assert (told["decision"], told["champion"]) == ("promote", 2)


def test_judging_an_old_candidate_again_does_not_bring_it_back(promoted: World) -> None:
    promoted.materialize(
        ["promoted_model"],
        run_config={"ops": {"tiny__promoted_model": {"config": {"version": 1}}}},
    )
    assert promoted.metadata("promoted_model")["candidate"] == 1
    assert promoted.metadata("promoted_model")["champion"] == 2
    assert aliases(promoted)["champion"] == 2


def test_a_crash_after_the_decision_is_made_good_by_the_next_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def die(*_: object) -> None:
            raise RuntimeError("killed")

        patch.setattr(projections, "project_decision", die)
        with pytest.raises(RuntimeError, match="killed"):
            world.first_model()
    assert aliases(world) == {"candidate": 1}
    world.materialize(["promoted_model"])
    assert aliases(world) == {"candidate": 1, "champion": 1}
    assert len(decisions(world.space, "promote")) == 1


def test_without_a_candidate_it_says_what_to_do(world: World) -> None:
    with pytest.raises(dg.Failure, match="materialize candidate_model first"):
        world.materialize(["promoted_model"])


def test_a_changed_model_file_is_never_judged(world: World) -> None:
    world.first_model()
    path = model_version(world.space, 1).folder / "model.onnx"
    other = onnx.load(path)
    other.doc_string = "another model"
    onnx.save(other, path)
    with pytest.raises(ServingError, match="is not the registered file"):
        world.materialize(["promoted_model"])
    assert world.metadata("promoted_model")["champion"] == 1
