"""`why-not`: which gate or rule stopped a version, and by how much."""

import json

import pytest

from feedback_assets.audit.why_not import STANDINGS, why_not
from feedback_assets.audit.why_not_page import why_not_document
from feedback_assets.config.schema import Config
from feedback_assets.errors import AuditError
from feedback_assets_tests.audit.scenes import at


@pytest.mark.parametrize(
    ("version", "standing", "words"),
    [
        ("1", "replaced", "v1 served until v3 was better"),
        ("2", "refused", "v2 was refused by latency and disparate impact"),
        ("3", "serves", "v3 does serve"),
        ("4", "refused", "v4 was refused by safety"),
        ("5", "rolled back", "v5 was promoted and taken back"),
        ("6", "on trial", "v6 is on trial beside v3"),
    ],
)
def test_each_standing_has_its_words(space, version, standing, words):
    told = why_not(space, version)
    assert told["standing"] == standing in STANDINGS
    assert why_not_document(told).title.startswith(words)
    json.dumps(told, allow_nan=False)


def test_the_failed_gates_are_named_with_their_distance(space):
    stopped = {s["name"]: s for s in why_not(space, "2")["stopped_by"]}
    assert set(stopped) == {"latency", "disparate_impact"}
    assert stopped["latency"]["by"] == {"absolute": 50.0, "relative": 0.25}
    assert stopped["disparate_impact"]["by"]["absolute"] == pytest.approx(0.2)
    by = next(r for r in why_not_document(why_not(space, "2")).replies if "much" in r.question)
    assert by.told[0] == "latency: 250 against 200, short by 50 (25%)"


def test_a_refusal_by_the_evidence_shows_its_numbers(space):
    (stopped,) = why_not(space, "4")["stopped_by"]
    assert (stopped["name"], stopped["reason"]) == ("safety", "not safe: e 1.2 below 20")
    assert stopped["numbers"] == {"log_safe": 0.18, "needed": 3.0}


def test_a_rollback_says_who_took_it_back(space):
    told = why_not(space, "5")
    assert told["ended_by"] == "watch"
    assert told["stopped_by"][0]["numbers"]["log_worse"] == 3.4
    decided = next(r for r in why_not_document(told).replies if r.question == "Who decided?")
    assert "by the watch after its promotion" in decided.told[0]


def test_a_version_on_trial_says_what_it_waits_for(space):
    waits = why_not(space, "6")["missing"]
    assert waits["stage"] == "shadow"
    assert waits["since"] == at(13.2).isoformat()
    assert not waits["requested"]


def test_an_old_refusal_is_measured_against_the_least_improvement(space):
    from feedback_assets.audit.why_not import by_rule
    from feedback_assets_tests.audit.test_story import led

    config: Config = space.config
    old = led("refuse", "2", "1", 1)
    old = type(old)(**{**old.__dict__, "numbers": {"lower": -0.01}, "rule": "not better"})
    stopped = by_rule(old, config)
    assert (stopped["observed"], stopped["threshold"]) == (-0.01, 0.0)
    assert stopped["by"]["absolute"] == pytest.approx(0.01)


def test_an_unknown_version_is_an_error(space):
    with pytest.raises(AuditError, match="no version 7"):
        why_not(space, "7")
