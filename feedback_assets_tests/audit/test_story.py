"""Who served when, and what was refused before whom, from decisions alone."""

import pytest

from feedback_assets.audit.story import Story, refused_before, reigns, told
from feedback_assets.promotion.decisions import Decision
from feedback_assets_tests.audit.scenes import at, story


def led(kind: str, version: str, before: str | None, days: float) -> Decision:
    return Decision(
        loop="tiny", kind=kind, time=at(days), cause="", rule="", reason="", version=version,
        previous_version=before, evidence={"at": days},
    )  # fmt: skip


def test_reigns_follow_promotions_and_rollbacks():
    line = reigns(story("tiny"))
    assert [(r.version, r.begun.kind) for r in line] == [
        ("1", "promote"), ("3", "promote"), ("5", "promote"), ("3", "rollback"),
    ]  # fmt: skip
    assert [r.ended.version if r.ended else None for r in line] == ["3", "5", "3", None]


@pytest.mark.parametrize(
    ("since", "until", "versions"),
    [(0, 0.5, []), (0, 6, ["1"]), (7, 9, ["3"]), (7, 11, ["3", "5"]), (12, 30, ["3"])],
)
def test_a_reign_overlaps_the_time_in_which_it_served(since, until, versions):
    line = reigns(story("tiny"))
    assert [r.version for r in line if r.overlaps(at(since), at(until))] == versions


def test_refusals_before_a_promotion_are_those_since_the_promotion_before():
    known = story("tiny")
    assert [d.version for d in refused_before(known, "3")] == ["2"]
    assert [d.version for d in refused_before(known, "5")] == ["4"]
    assert refused_before(known, "2") == []


def test_a_version_promoted_twice_tells_of_its_last_promotion():
    known = [
        led("promote", "1", None, 1), led("refuse", "2", "1", 2), led("promote", "3", "1", 3),
        led("rollback", "1", "3", 4), led("refuse", "4", "1", 5), led("promote", "3", "1", 6),
    ]  # fmt: skip
    assert [d.version for d in refused_before(known, "3")] == ["4"]
    assert [r.version for r in reigns(known)] == ["1", "3", "1", "3"]


def test_a_story_holds_what_took_the_version_away_but_not_what_followed_it():
    kinds = [(d.kind, d.version) for d in Story.of(story("tiny"), "5").decisions]
    assert kinds == [("retrain", "5"), ("promote", "5"), ("rollback", "3")]
    assert ("promote", "5") not in [
        (d.kind, d.version) for d in Story.of(story("tiny"), "3").decisions
    ]


def test_numbers_that_are_none_are_null():
    known = led("promote", "1", None, 1)
    broken = Decision(**{**known.__dict__, "numbers": {"lower": float("nan"), "rows": 3.0}})
    assert told(broken)["numbers"] == {"lower": None, "rows": 3.0}
