"""Verdicts of days through real runs: without a champion, stable, drifted, broken."""

from pathlib import Path

import pandas as pd
import pytest

from feedback_assets_tests.worlds import World

CLEAN, SHIFTED, ANSWERED, BROKEN = [f"2024-01-{day}" for day in (12, 13, 14, 15)]
JUDGED = ["prediction_log", "feedback_table", "profiles", "drift_report"]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A loop with a champion; each test judges a day of its own."""
    world = World(tmp_path_factory.mktemp("serving"))
    world.first_model()
    world.at("2024-01-20")
    return world


def report(world: World, day: str) -> pd.DataFrame:
    """The report's rows of one day over all rows, by column."""
    frame = world.frame("drift_report")
    whole = frame[(frame["partition_key"] == day) & (frame["segment"] == "")]
    return whole.set_index("column_name")


def test_without_a_champion_nothing_is_claimed(world: World) -> None:
    world.live("2024-01-01", 1)
    world.at("2024-01-02")
    world.dataflow("2024-01-01", 1)
    frame = world.frame("drift_report")
    assert frame[["role", "status"]].values.tolist() == [["day", "insufficient"]]
    told = world.metadata("drift_report", "2024-01-01")
    assert (told["verdict"], told["reference"], told["drifted_columns"]) == ("insufficient", 0, 0)
    assert "no champion" in told["reason"]


def test_a_shifted_day_drifts_and_a_clean_one_does_not(serving: World) -> None:
    serving.predict(serving.rows(SHIFTED, n=200, shift=2.0, version="1"), "shifted")
    serving.predict(serving.rows(CLEAN, n=200, version="1"), "clean")
    serving.materialize(JUDGED, [CLEAN, SHIFTED])
    shifted = report(serving, SHIFTED)
    assert shifted.loc["size", "status"] == "drift"
    assert shifted.loc["speed", "status"] in ("stable", "immaterial")
    told = serving.metadata("drift_report", SHIFTED)
    assert (told["verdict"], told["drifted"], told["reference"]) == ("drift", ["size"], 1)
    assert "size" in told["reason"]
    assert told["largest_psi"] >= shifted.loc["size", "psi"] > 1
    assert serving.metadata("drift_report", CLEAN)["verdict"] == "stable"
    assert set(report(serving, CLEAN)["reference"]) == {1}
    before = serving.versions()
    serving.materialize(["drift_report"], [SHIFTED, CLEAN])
    assert serving.versions() == before, "judging twice changes nothing"


def test_answers_and_labels_are_judged_where_they_are(serving: World) -> None:
    rows = serving.rows(ANSWERED, n=200, version="1")
    serving.predict(rows, "answered")
    serving.materialize(JUDGED, [ANSWERED])
    assert set(report(serving, ANSWERED)["role"]) == {"feature", "score", "prediction", "day"}
    serving.feed(rows, "labels")
    serving.dataflow(ANSWERED, 3)
    assert report(serving, ANSWERED).loc["label", "rows"] == 200


def test_a_broken_column_is_named_and_hides_no_other(serving: World) -> None:
    rows = serving.rows(BROKEN, n=200, shift=2.0, version="1").assign(speed=None)
    serving.predict(rows, "broken")
    serving.materialize(JUDGED, [BROKEN])
    found = report(serving, BROKEN)
    assert found.loc["speed", "status"] == "broken"
    assert found.loc["speed", "null_share"] == 1.0
    assert found.loc["size", "status"] == "drift"


def test_a_new_champion_judges_an_old_day_anew(serving: World) -> None:
    assert serving.metadata("drift_report", "2024-01-02")["reference"] == 0
    serving.materialize(["profiles", "drift_report"], ["2024-01-02"])
    assert serving.metadata("drift_report", "2024-01-02")["reference"] == 1


def test_the_page_of_the_most_drifted_day_is_linked(tmp_path: Path) -> None:
    world = World(tmp_path, drift={"min_rows": 20, "pages_per_run": 1, "page_rows": 100})
    world.first_model()
    world.predict(world.rows(SHIFTED, n=100, shift=2.0, version="1"), "shifted")
    world.predict(world.rows(CLEAN, n=100, version="1"), "clean")
    world.at(f"{SHIFTED}T23:59:59")
    world.materialize(JUDGED, [CLEAN, SHIFTED])
    page = world.space.reports / "drift" / f"{SHIFTED}.html"
    assert SHIFTED in page.read_text("utf-8")
    assert world.metadata("drift_report", SHIFTED)["evidently"] == world.space.report_url(page)
    assert "evidently" not in world.metadata("drift_report", CLEAN)


def test_several_references_stand_beside_each_other_and_the_first_decides(tmp_path: Path) -> None:
    references = [
        {"kind": "training"},
        {"kind": "previous", "days": 3},
        {"kind": "same_weekday", "weeks": 1},
        {"kind": "fixed", "start": "2024-01-02", "end": "2024-01-04"},
    ]
    world = World(tmp_path, drift={"references": references, "min_rows": 40})
    world.first_model()
    world.at("2024-01-20")
    days = [f"2024-01-{day}" for day in range(12, 17)]
    for position, day in enumerate(days):
        shift = 3.0 if day >= days[-2] else 0.0
        world.predict(world.rows(day, n=150, shift=shift, seed=position, version="1"), day)
    world.materialize(JUDGED, days)
    frame = world.frame("drift_report")
    own = frame[(frame["role"] == "day") & (frame["partition_key"] == days[-1])]
    names = ["training", "previous 3", "same weekday, 1 weeks", "2024-01-02 to 2024-01-04"]
    assert sorted(own["against"]) == sorted(names)
    size = frame[(frame["column_name"] == "size") & (frame["segment"] == "")]
    status = size.set_index(["against", "partition_key"])["status"]
    assert status["training", days[-1]] == "drift"
    assert status["2024-01-02 to 2024-01-04", days[-1]] == "drift"
    assert status["previous 3", days[0]] == "insufficient", "no day before it is in these cells"
    assert status["previous 3", days[-2]] == "drift"
    assert world.metadata("drift_report", days[-1])["verdict"] == "drift"
    kept = world.space.models / "1" / "counted"
    assert len(list(kept.glob("2024-01-0[234]-*.parquet"))) == 3, "dates are counted once"
