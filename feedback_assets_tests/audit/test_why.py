"""`why`: each question of an auditor has its answer, also from records of an older release."""

import json
import shutil
from dataclasses import replace

import pytest

from feedback_assets.assets.ledger import decisions, record
from feedback_assets.audit.why import why
from feedback_assets.audit.why_page import why_document
from feedback_assets.errors import AuditError
from feedback_assets.ledger.keys import new_private, sign_statement
from feedback_assets.ledger.registry import Approver, register
from feedback_assets_tests.audit.scenes import at, gate, past
from feedback_assets_tests.worlds import World


def replies(told):
    return {reply.question: reply.told for reply in why_document(told).replies}


def test_the_champion_is_explained_when_no_version_is_named(space):
    told = why(space)
    assert (told["version"], told["serves"], told["champion"]) == ("3", True, "3")
    assert told["begun"]["kind"] == "rollback"
    assert told["promotion"]["reason"] == "log loss better by 0.02"
    assert told["rollback_target"] == "1"
    assert [(r["begun_by"], r["ended_by"]) for r in told["reigns"]] == [
        ("promote", "promote"), ("rollback", None),
    ]  # fmt: skip


def test_each_question_is_answered(space):
    found = replies(why(space, "3"))
    assert "rollback returned to it" in found["Why does it serve?"][0]
    assert found["What was it trained on?"][0] == "240 rows of 2024-01-01 to 2024-01-06"
    assert found["What triggered it?"][1] == "size drifted: PSI 0.4"
    assert found["What did it beat?"][0] == "v1, log loss better by 0.02 (0.01 to 0.03)"
    assert found["Who approved?"][0] == "ada and bo"
    assert "Overridden: churn" in found["Who approved?"]
    assert found["What was refused before it?"][0] == "v2"
    assert found["What would a rollback return to?"][0] == "to v1"


def test_the_gates_say_by_how_much_they_passed(space):
    gates = {g["name"]: g for g in why(space, "3")["gates"]}
    assert gates["calibration"]["by"]["absolute"] == pytest.approx(0.03)
    assert gates["calibration"]["by"]["relative"] == pytest.approx(0.6)
    assert gates["churn"]["overridden_by"] == "cy"


def test_services_that_followed_are_named(space):
    told = why(space, "3")
    assert told["acknowledged"]["services"] == ["a-1", "b-2"]
    assert "2 services followed within 0.7 s" in replies(told)["What would a rollback return to?"]
    assert why(space, "5")["acknowledged"] is None


def test_a_record_without_details_still_explains(space):
    told = why(space, "1")
    assert not told["serves"]
    assert told["begun"]["rule"] == "no champion"
    assert told["gates"] == []
    found = replies(told)
    assert found["What did it beat?"][0] == "Nothing served before it."
    assert "served until 2024-01-16, then was replaced by v3" in why_document(told).title


def test_a_version_that_never_served_says_so(space):
    told = why(space, "2")
    assert told["reigns"] == []
    assert replies(told)["Why did it serve?"][0] == "It never did."
    assert why_document(told).state == "refused"


def test_a_version_whose_folder_is_gone_is_told_from_its_records(tmp_path):
    other = past(tmp_path)
    shutil.rmtree(other.models / "3")
    told = why(other, "3")
    assert "folder is gone" in told["trained"]["missing"]
    assert told["comparison"]["metrics"]["log_loss"]["improvement"] == 0.02


def test_answers_are_json_with_no_number_that_is_none(space):
    for version in (None, "1", "2", "5", "6"):
        json.dumps(why(space, version), allow_nan=False)


def test_what_is_not_there_is_named(space, tmp_path):
    with pytest.raises(AuditError, match="no version 99; there are: 1, 2, 3, 4, 5, 6"):
        why(space, "99")
    with pytest.raises(AuditError, match="no champion yet"):
        why(World(tmp_path).space)


def test_a_gate_without_a_number_has_no_margin():
    from feedback_assets.audit.beaten import distance

    assert distance(gate("data", True, None, None)) is None
    assert distance(gate("memory", True, 5.0, 0.0)) == {"absolute": 5.0, "relative": None}


def test_times_are_told_in_utc(space):
    assert why(space, "3")["promotion"]["time"] == at(6).isoformat()


def test_signatures_are_verified_again(tmp_path):
    space = past(tmp_path)
    settings = space.settings.model_copy(update={"keys": tmp_path / "keys"})
    key = new_private(settings, "ada")
    register(settings, Approver("ada", key.public, ("*",), at(0), None))
    said = {"by": "ada", "version": "3", "action": "approve", "reason": "looked at it"}
    good = {"statement": said, "signature": sign_statement(key, said), "key": key.fingerprint}
    approve = next(d for d in decisions(space, "approve") if d.actor == "person:ada")
    for number, details in enumerate(
        (good, {**good, "statement": {**said, "reason": "another"}}, {**good, "key": "k" * 64})
    ):
        record(space, replace(approve, evidence={"again": number}, details=details))
    people = why(space, "3")["let_in_by"]["people"]
    assert [p["signature"] for p in people] == [
        "by no key of theirs in approvers.yaml", "by no key of theirs in approvers.yaml",
        "genuine", "not of this statement", "by no key of theirs in approvers.yaml",
    ]  # fmt: skip
    approved = next(
        r for r in why_document(why(space, "3")).replies if r.question[-9:] == "approved?"
    )
    assert approved.tone == "bad"
    assert "5 signatures are not genuine" in approved.told
