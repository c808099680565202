"""The real daemon: files dropped into the sources lead to a decision without a hand."""

import pytest

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import champion
from feedback_assets.assets.space import DATAFLOW
from feedback_assets_tests.live import Live, day, today

pytestmark = [pytest.mark.daemon, pytest.mark.slow]
DAYS = [day(-3), day(-2), day(-1)]
DECISION_SECONDS = 300  # three sensors in a row look every 30 s, three runs start in 10 s each

SENSORS = """{ sensorsOrError(repositorySelector: {
  repositoryName: "__repository__", repositoryLocationName: "feedback_assets"}) {
    ... on Sensors { results { name sensorState { status ticks(limit: 10) { status } } } } } }"""


@pytest.fixture(scope="module")
def decided(live: Live) -> Live:
    """After three days of drifted traffic and its labels have arrived, until the gate has judged."""
    world = live.world
    for key in DAYS:
        rows = world.rows(key, shift=3.0, version="1")
        world.predict(rows, f"p-{key}")
        world.feed(rows, f"f-{key}", received_time=today())
    live.wait(
        "version 2 is judged",
        lambda: [d for d in decisions(world.space, "promote", "refuse") if d.version == "2"],
        DECISION_SECONDS,
    )
    live.wait("its run ends", lambda: ("candidate", "SUCCESS") in live.runs()[3:], 60)
    return live


@pytest.mark.parametrize("table", DATAFLOW)
def test_new_files_fill_their_days(decided: Live, table: str) -> None:
    world = decided.world
    stored = world.space.table(table).snapshot().partitions()
    for key in DAYS:
        assert stored[key].rows > 0
        assert world.metadata(table, key)["digest"] == stored[key].digest


def test_new_labels_are_joined(decided: Live) -> None:
    table = decided.world.frame("feedback_table")
    new = table[table["partition_key"].isin(DAYS)]
    assert set(new["label_status"]) == {"accepted"}


def test_drift_leads_to_a_retrain(decided: Live) -> None:
    verdict = decided.world.metadata("drift_report", DAYS[-1])
    assert verdict["verdict"] == "drift"
    assert "size" in verdict["drifted"]
    retrain = decisions(decided.world.space, "retrain")[-1]
    assert (retrain.version, retrain.cause) == ("2", "drift")
    assert "size" in retrain.reason


def test_the_candidate_is_judged_once_with_a_reason(decided: Live) -> None:
    judged = [d for d in decisions(decided.world.space, "promote", "refuse") if d.version == "2"]
    assert len(judged) == 1
    assert judged[0].reason
    assert judged[0].previous_version == "1"
    serving = champion(decided.world.space)
    assert serving is not None
    assert serving.version == (2 if judged[0].kind == "promote" else 1)


def test_no_run_failed_and_none_was_repeated(decided: Live) -> None:
    runs = decided.runs()
    assert {status for _, status in runs} == {"SUCCESS"}
    causes = decided.causes()
    assert causes["drift"] == 1
    assert causes["first model"] == 1
    assert causes["candidate"] == 2
    assert causes["dataflow"] == 0, "the arrivals sensor had brought everything up to date"


def test_every_sensor_is_running_and_none_failed(decided: Live) -> None:
    sensors = decided.ask(SENSORS)["sensorsOrError"]["results"]
    names = ("arrivals", "dataflow", "late_feedback", "promotion", "retrain", "review", "rollout")
    assert {sensor["name"] for sensor in sensors} == {f"tiny_{name}" for name in names}
    for sensor in sensors:
        state = sensor["sensorState"]
        assert state["status"] == "RUNNING"
        assert state["ticks"]
        assert "FAILURE" not in [tick["status"] for tick in state["ticks"]]
