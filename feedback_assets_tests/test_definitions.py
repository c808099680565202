"""What the code location holds: every loop's assets, checks and sensors, and nothing heavy."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from feedback_assets.assets.space import DATAFLOW
from feedback_assets.loop import FeedbackLoopComponent, all_loops
from feedback_assets.settings import Settings
from feedback_assets_tests.worlds import LOOP, World, write_loop

SPINE = (
    "prediction_log", "feedback_table", "drift_report", "labeled_pool", "candidate_model",
    "promoted_model",
)  # fmt: skip
DEPS = {
    "prediction_log": set(),
    "feedback_events": set(),
    "feedback_table": {"prediction_log", "feedback_events"},
    "profiles": {"feedback_table"},
    "drift_report": {"profiles"},
    "performance_report": {"feedback_table"},
    "findings": {"drift_report", "performance_report"},
    "flags": {"feedback_table", "drift_report", "findings"},
    "review_queue": {"feedback_table", "drift_report", "flags"},
    "annotations": {"review_queue"},
    "labeled_pool": {"feedback_table", "drift_report"},
    "label_quality": {"annotations", "feedback_events", "labeled_pool"},
    "candidate_model": {"labeled_pool"},
    "evaluation_report": {"candidate_model"},
    "canary_report": {"candidate_model", "feedback_table", "serving_log"},
    "promoted_model": {"candidate_model", "evaluation_report", "canary_report"},
    "serving_log": set(),
}
CHECKS = {
    "prediction_log": {"contract", "freshness", "quarantine_rate"},
    "feedback_events": {"contract"},
    "feedback_table": {"labels_arrived"},
    "drift_report": {"drift"},
    "performance_report": {"performance"},
    "promoted_model": {"explained"},
}
SENSORS = (
    "arrivals", "late_feedback", "review", "retrain", "promotion", "rollout", "dataflow",
)  # fmt: skip
HEAVY = (
    "mlflow", "dagster_mlflow", "evidently", "sklearn", "onnx", "onnxruntime", "skl2onnx",
    "matplotlib", "pandera", "river", "scipy.stats",
)  # fmt: skip


@pytest.fixture(scope="module")
def defs(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return World(tmp_path_factory.mktemp("definitions")).definitions


def test_assets_and_what_they_are_made_from(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    found = {
        key.path[-1]: {parent.path[-1] for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }
    assert found == DEPS
    assert all(key.path[0] == "tiny" for key in graph.get_all_asset_keys())


def test_checks_and_which_of_them_block(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    found: dict[str, set[str]] = {}
    for key in graph.asset_check_keys:
        found.setdefault(key.asset_key.path[-1], set()).add(key.name)
        assert graph.get_check_spec(key).blocking == (key.name == "contract")
        assert graph.get_check_spec(key).description
    assert found == CHECKS


def test_every_sensor_is_running_unless_a_person_stops_it(defs: dg.Definitions) -> None:
    sensors = {sensor.name: sensor for sensor in defs.get_repository_def().sensor_defs}
    assert set(sensors) == {f"tiny_{name}" for name in SENSORS}
    for sensor in sensors.values():
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
        assert sensor.description


def test_every_asset_says_what_it_is(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners == LOOP["owners"], key
        assert node.kinds, key
        assert node.group_name == "tiny", key
        assert node.code_version, key
        assert node.metadata["dagster/table_name"] == f"tiny.{key.path[-1]}"


def test_days_are_partitions_and_decisions_are_not(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    daily = {k.path[-1] for k in graph.get_all_asset_keys() if graph.get(k).partitions_def}
    assert daily == {"feedback_events", "serving_log", *DATAFLOW}
    for name in daily:
        policy = graph.get(dg.AssetKey(["tiny", name])).backfill_policy
        assert policy is not None
        assert policy.max_partitions_per_run == 31


def test_logs_of_another_system_are_an_asset_of_their_own(tmp_path: Path) -> None:
    source = {**LOOP["source"], "predictions": {"path": "logs", "format": "kserve"}}
    world = World(tmp_path, source=source)
    graph = world.definitions.resolve_asset_graph()
    imported = world.space.key("imported_logs")
    assert graph.get(world.space.key("prediction_log")).parent_keys == {imported}
    assert graph.get(imported).description


def test_a_changed_policy_changes_the_code_version(tmp_path: Path) -> None:
    versions = set()
    for number, alpha in enumerate((0.01, 0.02)):
        world = World(tmp_path / str(number), drift={"alpha": alpha})
        graph = world.definitions.resolve_asset_graph()
        versions.add(graph.get(world.space.key("drift_report")).code_version)
    assert len(versions) == 2


def test_a_second_file_is_a_second_loop(tmp_path: Path) -> None:
    write_loop(tmp_path)
    write_loop(tmp_path, name="other")
    built = all_loops(Settings(home=tmp_path / "home", configs=tmp_path))
    keys = {key.to_user_string() for key in built.resolve_asset_graph().get_all_asset_keys()}
    assert keys == {f"{loop}/{asset}" for loop in ("tiny", "other") for asset in DEPS}
    dg.Definitions.validate_loadable(built)


def test_a_broken_file_leaves_the_other_loops_and_shows_its_error(tmp_path: Path) -> None:
    write_loop(tmp_path)
    write_loop(tmp_path, name="broken", drift={"alfa": 0.1})
    settings = Settings(home=tmp_path / "home", configs=tmp_path)
    built = all_loops(settings)
    graph = built.resolve_asset_graph()
    keys = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert keys == {*(f"tiny/{asset}" for asset in DEPS), "broken/broken_config"}
    node = graph.get(dg.AssetKey(["broken", "broken_config"]))
    assert "alfa" in (node.description or "")
    assert "alpha" in (node.description or "")
    job = built.resolve_implicit_global_asset_job_def()
    run = job.execute_in_process(
        instance=dg.DagsterInstance.ephemeral(),
        asset_selection=[node.key],
        raise_on_error=False,
    )
    assert not run.success


def test_no_loop_at_all_still_loads(tmp_path: Path) -> None:
    built = all_loops(Settings(home=tmp_path / "home", configs=tmp_path))
    assert not built.resolve_asset_graph().get_all_asset_keys()


def test_the_shipped_loops_have_the_spine() -> None:
    configs = Path(__file__).parent.parent / "configs"
    graph = all_loops(Settings(configs=configs)).resolve_asset_graph()
    keys = {key.to_user_string() for key in graph.get_all_asset_keys()}
    loops = {path.stem for path in (configs / "loops").glob("*.yaml")}
    assert {"flights", "energy"} <= loops
    assert {f"{loop}/{asset}" for loop in loops for asset in SPINE} <= keys


def test_loading_the_definitions_imports_nothing_heavy(tmp_path: Path) -> None:
    write_loop(tmp_path)
    code = f"""
import sys
from feedback_assets.definitions import feedback_assets
feedback_assets().get_repository_def().load_all_definitions()
heavy = [name for name in {HEAVY!r} if name in sys.modules]
assert not heavy, heavy
"""
    env = {"FEEDBACK_ASSETS_CONFIGS": str(tmp_path), "FEEDBACK_ASSETS_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]


def test_a_loop_is_a_component_as_well(tmp_path: Path) -> None:
    write_loop(tmp_path)
    component = FeedbackLoopComponent(config=str(tmp_path / "loops" / "tiny.yaml"))
    built = dg.build_defs_for_component(component)
    assert len(built.resolve_asset_graph().get_all_asset_keys()) == len(DEPS)
