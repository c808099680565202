"""A promotion taken back: once, by whoever asks, and nothing that is down prevents it."""

import datetime as dt
import shutil
import threading
import time
from pathlib import Path

import pytest

from feedback_assets.assets import ledger, rollback, stages
from feedback_assets.assets.ledger import decisions, one_at_a_time
from feedback_assets.assets.models import champion, reign
from feedback_assets.assets.published import publish_models
from feedback_assets.assets.rollback import roll_back, undo
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.stages import project_registry, stages_of
from feedback_assets.errors import ServingError, TableError, TrainingError
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.rollout import lead
from feedback_assets.serving.manifest import Manifest, read_manifest
from feedback_assets.training.registry import aliases, registry_client
from feedback_assets_tests.assets.reigns import BEGIN, model_file, promote, reign_of
from feedback_assets_tests.worlds import World, migrated_mlflow

LATER = BEGIN + dt.timedelta(days=30)


@pytest.fixture
def space(tmp_path: Path) -> LoopSpace:
    """Versions 1, 2 and 3 served one after the other."""
    made = World(tmp_path).space
    reign_of(made, 1, 2, 3)
    return made


def ask(space: LoopSpace, to: int | None = None, **said: object) -> Decision:
    given = {"reason": "complaints", "actor": "person:ann", "cause": "by hand", "now": LATER}
    return undo(space, to=to, **(given | said))  # type: ignore[arg-type]


def said(space: LoopSpace) -> Manifest:
    return read_manifest(space.settings, space.name)


def serving(space: LoopSpace) -> tuple[int, int | None]:
    """Champion and previous by the manifest; the ledger must say the same."""
    told = said(space)
    assert told.champion is not None
    now = champion(space)
    assert now is not None
    assert told.champion.version == now.version
    return told.champion.version, told.previous and told.previous.version


def test_the_version_before_serves_again(space: LoopSpace) -> None:
    last = decisions(space, "promote")[-1]
    done = ask(space)
    assert serving(space) == (2, 1)
    assert (done.kind, done.version, done.previous_version) == ("rollback", "2", "3")
    assert done.details == {"undoes": last.decision_id, "by": "hand", "look": None}
    assert said(space).decision_id == done.decision_id
    assert decisions(space)[-1] == done


def test_asked_twice_it_takes_back_one_promotion(space: LoopSpace) -> None:
    done = ask(space)
    generation = said(space).generation
    assert ask(space, reason="again", now=LATER + dt.timedelta(minutes=1)) == done
    assert ask(space, to=2) == done
    assert serving(space) == (2, 1)
    assert said(space).generation == generation


def test_a_version_that_is_named_is_returned_to_over_others(space: LoopSpace) -> None:
    ask(space, to=1)
    assert serving(space) == (1, None)
    assert reign(space) == [1]


def test_one_may_go_further_back_and_forward_again_by_name(space: LoopSpace) -> None:
    ask(space)
    ask(space, to=1)
    assert serving(space) == (1, None)
    ask(space, to=3)
    assert serving(space) == (3, 1)
    ask(space, to=1)
    assert serving(space) == (1, None)
    assert len(decisions(space, "rollback")) == 4


def test_the_watch_takes_back_what_it_watched_and_nothing_else(space: LoopSpace) -> None:
    watched = decisions(space, "promote")[-1].decision_id
    look = {"gain": -0.1}
    done = ask(space, undoes=watched, by="watch", rule="e-process", look=look, numbers={"gain": -1})
    assert done.details == {"undoes": watched, "by": "watch", "look": look}
    assert ask(space, undoes=watched, to=1) == done  # a person and the watch at once: the first
    assert serving(space) == (2, 1)
    model_file(space, 4)
    promote(space, 4)
    with pytest.raises(ServingError, match="version 4 serves since 2024-01-05 12:00, not what"):
        ask(space, undoes=decisions(space, "promote")[0].decision_id)
    assert serving(space) == (4, 2)


def test_what_cannot_be_returned_to_is_told_and_nothing_is_recorded(space: LoopSpace) -> None:
    model_file(space, 4)
    with pytest.raises(ServingError, match=r"version 4 never served.*1, 2, 3"):
        ask(space, to=4)
    with pytest.raises(TrainingError, match="no model version 9; there are: 1, 2, 3, 4"):
        ask(space, to=9)
    with pytest.raises(ServingError, match="version 3 serves already"):
        ask(space, to=3)
    (space.models / "2" / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(ServingError, match="not the registered file"):
        ask(space)
    assert decisions(space, "rollback") == []
    assert serving(space)[0] == 3


def test_the_first_model_has_none_before_it(tmp_path: Path) -> None:
    space = World(tmp_path).space
    with pytest.raises(ServingError, match="tiny has no champion"):
        ask(space)
    reign_of(space, 1)
    with pytest.raises(ServingError, match="version 1 is the first that serves"):
        ask(space)


def test_a_rollback_that_was_recorded_and_not_published_is_put_right(
    space: LoopSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def full(_: object) -> int:
            raise OSError(28, "No space left on device")

        patch.setattr(rollback, "publish_models", full)
        with pytest.raises(OSError, match="No space left"):
            ask(space)
    assert said(space).champion == published(space, 3)  # the old one, never nobody
    done = ask(space)
    assert serving(space) == (2, 1)
    assert decisions(space, "rollback") == [done]


def published(space: LoopSpace, version: int) -> object:
    from feedback_assets.serving.publish import published as about

    return about(space.settings, space.name, version)


def test_a_table_that_cannot_be_written_does_not_keep_a_bad_model(
    space: LoopSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def broken(*_: object) -> None:
            raise TableError("the decisions table is damaged")

        patch.setattr(ledger, "project", broken)
        with pytest.raises(TableError, match="damaged"):
            ask(space)
    assert serving(space) == (2, 1)


def test_a_ledger_that_cannot_be_written_changes_nothing(
    space: LoopSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = said(space)
    with monkeypatch.context() as patch:

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(rollback, "record", full)
        with pytest.raises(OSError, match="No space left"):
            ask(space)
    assert said(space) == before
    assert serving(space) == (3, 2)


def test_many_at_once_take_back_one_promotion(space: LoopSpace) -> None:
    done: list[Decision] = []
    threads = [
        threading.Thread(target=lambda i=i: done.append(ask(space, to=[None, 1, 2][i % 3])))
        for i in range(6)
    ]
    watched = decisions(space, "promote")[-1].decision_id
    threads.append(threading.Thread(target=lambda: done.append(ask(space, undoes=watched))))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [d.evidence["undoes"] for d in decisions(space, "rollback")].count(watched) == 1
    assert serving(space)[0] in (1, 2)


def test_a_promotion_at_the_same_moment_comes_before_or_after(space: LoopSpace) -> None:
    model_file(space, 4)
    with one_at_a_time(space, rollback.LEAD):
        thread = threading.Thread(target=lambda: ask(space))
        thread.start()
        time.sleep(0.2)
        newest = promote(space, 4)
    thread.join()
    assert decisions(space, "rollback")[-1].evidence["undoes"] == newest.decision_id
    assert serving(space) == (3, 2)


def test_the_registry_follows_and_when_it_is_down_it_follows_later(
    space: LoopSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(migrated_mlflow().parent, space.settings.mlflow, dirs_exist_ok=True)
    with registry_client(space.settings) as client:
        client.create_registered_model(space.name)
        for version in (1, 2, 3):
            client.create_model_version(space.name, source=f"nowhere/{version}")
    assert project_registry(space) == ""
    told = aliases(space.settings, space.name)
    assert told == {"champion": 3, "previous": 2, "candidate": 3}
    with monkeypatch.context() as patch:

        def down(*_: object) -> None:
            raise ConnectionError("refused")

        patch.setattr(stages, "project_stages", down)
        given = {"reason": "r", "actor": "person:ann", "cause": "by hand", "now": LATER}
        roll_back(space, to=None, **given)  # type: ignore[arg-type]
        assert "ConnectionError: refused" in project_registry(space)
    assert serving(space) == (2, 1)
    assert aliases(space.settings, space.name)["champion"] == 3
    assert project_registry(space) == ""
    told = aliases(space.settings, space.name)
    assert told == {"champion": 2, "previous": 1, "candidate": 3}
    with registry_client(space.settings) as client:
        tags = [client.get_model_version(space.name, v).tags["stage"] for v in "123"]
    assert tags == ["previous", "champion", "retired"]


def test_who_is_tried_holds_the_alias_of_the_stage(tmp_path: Path) -> None:
    space = World(tmp_path, rollout={"stages": ["shadow", "canary"]}).space
    reign_of(space, 1)
    model_file(space, 2)
    common = {
        "loop": space.name, "cause": "drift", "rule": "r", "reason": "r", "version": "2",
        "previous_version": "1", "actor": "a",
    }  # fmt: skip
    judged = {"lead": lead(decisions(space)), "config_digest": space.config_digest}
    told = [("retrain", {}), ("gate", {}), ("stage", {"stage": "shadow"})]
    told += [("stage", {"stage": "canary"}), ("refuse", {})]
    seen = []
    for place, (kind, details) in enumerate(told):
        moment = LATER + dt.timedelta(hours=place)
        evidence = {"n": place, **judged}
        ledger.record(
            space,
            Decision(kind=kind, time=moment, evidence=evidence, details=details, **common),  # type: ignore[arg-type]
        )
        publish_models(space)
        challenger = said(space).challenger
        told_to_service = challenger and (challenger.version, challenger.stage)
        now = stages_of(space)
        seen.append((now.shadow, now.canary, now.stage(2), told_to_service))
    assert seen == [
        (None, None, "candidate", None),
        (None, None, "candidate", None),
        (2, None, "shadow", (2, "shadow")),
        (None, 2, "canary", (2, "canary")),
        (None, None, "refused", None),
    ]
