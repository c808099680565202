"""Logs of another system, from the source's folder to the tables, by the real sensors."""

import json
from pathlib import Path

from feedback_assets_tests.worlds import LOOP, World


def record(number: int, hour: int) -> str:
    """A prediction that another system logged, under its own names."""
    return json.dumps(
        {
            "request": f"r{number}",
            "at": f"2024-01-02T{hour:02d}:00:00Z",
            "size": 0.5 * number,
            "speed": 9.0,
            "colour": "red",
            "region": "north",
            "p": 0.25,
        }
    )


def a_world(root: Path) -> World:
    source = {
        **LOOP["source"],
        "predictions": {
            "path": "{home}/logs",
            "format": "generic",
            "map": {"request": "prediction_id", "at": "event_time", "p": "score"},
        },
    }
    world = World(root, source=source)
    world.at("2024-01-05")
    (world.settings.root / "logs").mkdir(parents=True)
    return world


def test_logs_become_predictions_and_refusals(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    good = [record(number, number) for number in range(9)]
    broken = json.dumps({"request": "r9", "at": "no time", "size": "large"})
    (world.settings.root / "logs" / "one.jsonl").write_text("\n".join([*good, broken]) + "\n")
    runs = list(world.ticker.settle())
    assert all(run.success for run in runs), runs
    assert runs[0].assets == ("imported_logs",)
    log = world.frame("prediction_log")
    assert list(log["prediction_id"]) == [f"r{number}" for number in range(9)]
    assert list(log["score"]) == [0.25] * 9
    figures = world.metadata("imported_logs")
    assert figures["predictions_rows"] == 9
    assert figures["predictions_refused"] == 1
    assert list(world.ticker.settle()) == []


def test_a_log_that_grows_brings_only_its_new_rows(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    path = world.settings.root / "logs" / "one.jsonl"
    path.write_text(record(1, 1) + "\n")
    list(world.ticker.settle())
    path.write_text(record(1, 1) + "\n" + record(2, 2) + "\n")
    list(world.ticker.settle())
    assert list(world.frame("prediction_log")["prediction_id"]) == ["r1", "r2"]
    assert world.frame("prediction_log_quarantine").empty
