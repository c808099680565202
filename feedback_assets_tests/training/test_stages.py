"""Aliases and tags in a real registry say what the ledger says."""

import shutil

import pytest

from feedback_assets.settings import Settings
from feedback_assets.training.registry import aliases, registry_client
from feedback_assets.training.stages import Stages, project_stages
from feedback_assets_tests.worlds import migrated_mlflow

LOOP = "example"
VERSIONS = 6
STAGES = Stages(
    champion=3, previous=1, canary=None, shadow=5, candidate=6, refused=(2, 4), retired=(1, 3)
)


@pytest.fixture
def place(tmp_path):
    """A registry with six versions."""
    made = Settings(home=tmp_path)
    made.mlflow.mkdir(parents=True)
    shutil.copyfile(migrated_mlflow(), made.mlflow / "mlflow.db")
    with registry_client(made) as client:
        client.create_registered_model(LOOP)
        for i in range(VERSIONS):
            client.create_model_version(LOOP, source=f"nowhere/{i}", tags={"stage": "candidate"})
    return made


def told(place):
    """Each version's `stage` and `env`."""
    with registry_client(place) as client:
        tags = [client.get_model_version(LOOP, str(v + 1)).tags for v in range(VERSIONS)]
    return [(tag["stage"], tag["env"]) for tag in tags]


def test_every_version_is_told(place):
    project_stages(place, LOOP, STAGES)
    assert aliases(place, LOOP) == {"champion": 3, "previous": 1, "shadow": 5, "candidate": 6}
    assert told(place) == [
        ("previous", "staging"), ("refused", "dev"), ("champion", "prod"), ("refused", "dev"),
        ("shadow", "staging"), ("candidate", "dev"),
    ]  # fmt: skip


def test_a_rollback_takes_aliases_away(place):
    project_stages(place, LOOP, STAGES)
    project_stages(
        place, LOOP, Stages(champion=1, canary=6, candidate=6, shadowing=(2,), retired=(1, 3))
    )
    assert aliases(place, LOOP) == {"champion": 1, "canary": 6, "candidate": 6}
    assert told(place)[0] == ("champion", "prod")
    assert told(place)[1] == ("shadow", "staging")
    assert told(place)[2] == ("retired", "dev")
    assert told(place)[4] == ("candidate", "dev")
    assert told(place)[5] == ("canary", "staging")
    assert [env for _, env in told(place)].count("prod") == 1


def test_the_second_time_writes_nothing(place, monkeypatch):
    import mlflow

    project_stages(place, LOOP, STAGES)
    for name in (
        "set_model_version_tag",
        "set_registered_model_alias",
        "delete_registered_model_alias",
    ):
        monkeypatch.setattr(mlflow.MlflowClient, name, lambda *_: pytest.fail("written again"))
    project_stages(place, LOOP, STAGES)


def test_an_alias_that_somebody_moved_by_hand_comes_back(place):
    project_stages(place, LOOP, STAGES)
    with registry_client(place) as client:
        client.set_registered_model_alias(LOOP, "champion", "2")
        client.delete_registered_model_alias(LOOP, "shadow")
        client.delete_model_version_tag(LOOP, "3", "env")
    project_stages(place, LOOP, STAGES)
    assert aliases(place, LOOP)["champion"] == 3
    assert aliases(place, LOOP)["shadow"] == 5
    assert told(place)[2] == ("champion", "prod")


def test_a_loop_that_the_registry_does_not_know_is_left_alone(place):
    project_stages(place, "unknown", Stages())
    assert aliases(place, "unknown") == {}


@pytest.mark.parametrize("crash", range(1, 12))
def test_a_crash_after_any_write_is_put_right_by_the_next_call(place, monkeypatch, crash):
    import mlflow

    class CrashError(Exception):
        pass

    left = [crash]
    with monkeypatch.context() as patch:
        for name in ("set_model_version_tag", "set_registered_model_alias"):
            real = getattr(mlflow.MlflowClient, name)

            def write(*given, real=real):
                left[0] -= 1
                if not left[0]:
                    raise CrashError
                return real(*given)

            patch.setattr(mlflow.MlflowClient, name, write)
        with pytest.raises(CrashError):
            project_stages(place, LOOP, STAGES)
    project_stages(place, LOOP, STAGES)
    assert aliases(place, LOOP) == {"champion": 3, "previous": 1, "shadow": 5, "candidate": 6}
    assert [stage for stage, _ in told(place)] == [
        "previous", "refused", "champion", "refused", "shadow", "candidate",
    ]  # fmt: skip
