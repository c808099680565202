"""The check that every promotion is explained, and that cards are written."""

import dagster as dg
import pytest

from feedback_assets.assets.ledger import record
from feedback_assets.audit.why import unanswered, versions_told, why
from feedback_assets.checks.explained import explained_check
from feedback_assets_tests.audit.scenes import past
from feedback_assets_tests.audit.test_story import led
from feedback_assets_tests.worlds import World


def told(space) -> dg.AssetCheckResult:
    return explained_check(space)()


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory):
    return past(tmp_path_factory.mktemp("explained"))


def test_what_serves_is_explained_and_has_its_card(space):
    found = told(space)
    assert found.passed, found.description
    assert "version 3 is explained" in found.description
    assert versions_told(space) == ["5", "3", "6"]
    cards = {path.name for path in (space.reports / "cards").iterdir()}
    assert cards == {f"version-{v}.{end}" for v in "356" for end in ("md", "html")}
    assert len(found.metadata) == 3


def test_what_is_not_recorded_is_named(tmp_path):
    space = past(tmp_path)
    record(space, led("promote", "7", "3", 40))
    assert unanswered(why(space)) == [
        "why it was promoted", "what triggered its training", "what it was trained on",
        "which code trained it", "its configuration", "its digest", "what it was compared on",
        "its gates", "who let it in",
    ]  # fmt: skip
    found = told(space)
    assert not found.passed
    assert "not recorded of version 7" in found.description
    assert found.severity == dg.AssetCheckSeverity.WARN


def test_without_a_champion_it_says_so(tmp_path):
    found = told(World(tmp_path).space)
    assert not found.passed
    assert "no champion yet" in found.description
