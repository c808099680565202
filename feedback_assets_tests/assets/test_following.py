"""That services follow is recorded once, and only when each of them does."""

import datetime as dt
from pathlib import Path

import msgspec
import pytest

from feedback_assets.assets.following import confirm_following
from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.space import LoopSpace
from feedback_assets.serving.acks import Ack
from feedback_assets.serving.manifest import manifest_path, read_manifest
from feedback_assets_tests.assets.reigns import BEGIN, reign_of
from feedback_assets_tests.worlds import World

NOW = BEGIN + dt.timedelta(days=30)


@pytest.fixture
def space(tmp_path: Path) -> LoopSpace:
    made = World(tmp_path).space
    reign_of(made, 1, 2)
    return made


def say(space: LoopSpace, service: str, generation: int, after: float = 0.5) -> None:
    """What a service elsewhere says, so many seconds after the newest publication."""
    published = read_manifest(space.settings, space.name).published_at
    ack = Ack(
        service=service, host=service, pid=7, generation=generation, champion=2, challenger=None,
        stage=None, at=dt.datetime.fromisoformat(published) + dt.timedelta(seconds=after),
        answered=0, unanswered=0, problem="",
    )  # fmt: skip
    folder = space.settings.serving / space.name / "acks"
    folder.mkdir(exist_ok=True)
    (folder / f"{service}.json").write_bytes(msgspec.json.encode(ack))


def test_nothing_is_recorded_where_nobody_serves(space: LoopSpace, tmp_path: Path) -> None:
    assert confirm_following(space, NOW) is None
    assert confirm_following(World(tmp_path / "empty").space, NOW) is None


def test_it_is_recorded_once_when_the_last_one_follows(space: LoopSpace) -> None:
    generation = read_manifest(space.settings, space.name).generation
    say(space, "a", generation)
    say(space, "b", generation - 1)
    assert confirm_following(space, NOW) is None
    say(space, "b", generation, after=1.25)
    told = confirm_following(space, NOW)
    assert told is not None
    promoted = decisions(space, "promote")[-1]
    assert (told.kind, told.version, told.previous_version) == ("serving", "2", "1")
    assert told.numbers == {"seconds": pytest.approx(1.25), "services": 2.0}
    assert told.details["for"] == promoted.decision_id
    assert told.details["generation"] == generation
    assert [s["service"] for s in told.details["services"]] == ["a", "b"]
    assert told.reason == "2 services follow, the last one after 1.25 s"
    assert confirm_following(space, NOW) is None
    assert decisions(space, "serving") == [told]


def test_a_manifest_of_something_else_confirms_nothing(space: LoopSpace) -> None:
    generation = read_manifest(space.settings, space.name).generation
    say(space, "a", generation)
    path = manifest_path(space.settings, space.name)
    good = path.read_text("utf-8")
    decision = decisions(space, "promote")[-1].decision_id
    path.write_text(good.replace(decision, "drill"), encoding="utf-8")
    assert confirm_following(space, NOW) is None
    path.write_text("damaged", encoding="utf-8")
    assert confirm_following(space, NOW) is None
    path.write_text(good, encoding="utf-8")
    assert confirm_following(space, NOW) is not None
