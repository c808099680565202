"""Approvals count only when signed by the right person, for the right thing, in time."""

import base64
import datetime as dt
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.errors import ApprovalError
from feedback_assets.ledger.registry import Registry
from feedback_assets.promotion.approval import Standing, standing, standing_overrides
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.statement import Bound, Statement
from feedback_assets_tests.promotion.loops import loop_config
from feedback_assets_tests.promotion.people import (
    BOUND,
    approver,
    decision,
    hours,
    key_of,
    recorded,
    registry,
    request,
    statement,
)

EVERYBODY = registry("ann", "bob", "cid")
CONFIG = loop_config()


def stand(
    *said: Decision,
    known: Registry = EVERYBODY,
    now: dt.datetime | None = None,
    before: tuple[Decision, ...] = (),
    asked: Decision | None = None,
) -> Standing:
    """How version 2 stands after a request and what was said then."""
    asked = asked or request()
    return standing(CONFIG, asked, [*before, asked, *said], known, now or hours(2))


def approve(by: str, **changes: Any) -> Decision:
    return recorded(statement(by, **changes))


def test_two_different_people_must_approve() -> None:
    assert stand() == Standing((), (), 2, ())
    assert stand(approve("ann")) == Standing(("ann",), (), 1, ())
    both = stand(approve("ann"), approve("bob"))
    assert both == Standing(("ann", "bob"), (), 0, ())
    assert both.granted
    twice = stand(approve("ann"), approve("ann", at=hours(1.5)))
    assert twice.missing == 1


def test_one_rejection_is_enough() -> None:
    against = recorded(statement("cid", "reject"))
    found = stand(approve("ann"), approve("bob"), against)
    assert (found.rejected_by, found.missing, found.granted) == (("cid",), 0, False)


def test_the_newest_word_of_a_person_counts() -> None:
    changed = recorded(statement("ann", "reject", at=hours(1.5)))
    assert stand(approve("ann"), changed).approved_by == ()
    assert stand(changed, approve("ann", at=hours(1.6))).rejected_by == ()


def test_an_approval_that_was_kept_does_not_undo_a_later_rejection() -> None:
    kept = approve("ann", at=hours(1))
    against = recorded(statement("ann", "reject", at=hours(1.2)))
    handed_in = replace(kept, time=hours(1.5))
    found = stand(against, handed_in, approve("bob"), approve("cid"))
    assert found.rejected_by == ("ann",)
    assert not found.granted


def test_of_two_words_at_once_the_no_counts() -> None:
    yes, no = approve("ann"), recorded(statement("ann", "reject"))
    assert stand(yes, no).rejected_by == stand(no, yes).rejected_by == ("ann",)


def test_a_signature_has_one_spelling() -> None:
    """The last letter before `==` holds four bits that say nothing: 16 spellings of one signature."""
    said = approve("ann")
    signature = said.details["signature"]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = letters[letters.index(signature[-3]) ^ 1]
    respelled = f"{signature[:-3]}{other}=="
    assert base64.b64decode(respelled) == base64.b64decode(signature)
    again = replace(said, details={**said.details, "signature": respelled})
    assert stand(again).approved_by == ()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (replace(approve("ann", at=hours(-1)), time=hours(1)), "before it was asked for"),
        (approve("ann", bound=replace(BOUND, model="d" * 64)), "another model"),
        (approve("ann", bound=replace(BOUND, evaluation="d" * 64)), "another evaluation"),
        (approve("ann", bound=replace(BOUND, config="d" * 64)), "another config"),
        (approve("ann", expires_at=hours(2)), "expired 2024-03-01 14:00 UTC"),
        (approve("ann", expires_at=hours(74)), "longer than 72 hours"),
        (approve("ann", at=hours(3), expires_at=hours(5)), "yet to come"),
        (replace(approve("ann", at=hours(1.5)), time=hours(1)), "yet to come"),
        (approve("ann", reason=" "), "gives no reason"),
        (approve("eve"), "not theirs in approvers.yaml"),
        (recorded(statement("ann"), key_of("eve")), "not theirs in approvers.yaml"),
        (recorded(statement("ann"), key_of("bob")), "not theirs in approvers.yaml"),
        (replace(recorded(statement("ann", loop="other")), version="2"), "said of other version 2"),
        (replace(recorded(statement("ann", version="3")), version="2"), "said of toy version 3"),
        (recorded(statement("ann", "reject"), kind="approve"), "signed reject"),
        (recorded(statement("ann"), details={}), "a statement is an object of texts"),
    ],
)  # fmt: skip
def test_what_does_not_fit_does_not_count_and_says_why(said: Decision, words: str) -> None:
    found = stand(said)
    assert found.approved_by == ()
    assert len(found.problems) == 1
    assert words in found.problems[0]


@settings(deadline=None)
@given(st.sampled_from(sorted(statement("ann").to_dict())), st.text(max_size=8))
def test_a_signature_is_of_every_field(field: str, other: str) -> None:
    said = recorded(statement("ann"))
    content = dict(said.details["statement"])
    if content[field] == other:
        return
    forged = replace(said, details={**said.details, "statement": {**content, field: other}})
    assert stand(forged).approved_by == ()


def test_a_forged_or_broken_signature_does_not_count() -> None:
    said = recorded(statement("ann"))
    for signature in ("", "AAAA", "not base64 ☃", said.details["signature"][::-1]):
        forged = replace(said, details={**said.details, "signature": signature})
        assert stand(forged).approved_by == ()
    claimed = replace(
        recorded(statement("ann"), key_of("eve")),
        details={
            **recorded(statement("ann"), key_of("eve")).details,
            "key": key_of("ann").fingerprint,
        },
    )
    assert "the signature is not of this statement" in stand(claimed).problems[0]


def test_a_key_that_was_revoked_counts_no_more_whenever_it_signed() -> None:
    for revoked in (hours(0.5), hours(1.5)):
        known = Registry((approver("ann", revoked=revoked), approver("bob")))
        assert stand(approve("ann"), known=known).approved_by == ()
    later = Registry((approver("ann", revoked=hours(9)), approver("bob")))
    assert stand(approve("ann"), known=later).approved_by == ("ann",)


def test_a_key_that_was_added_later_did_not_approve() -> None:
    known = Registry((approver("ann", added=hours(1.5)),))
    assert stand(approve("ann"), known=known).approved_by == ()


def test_a_key_is_for_its_loops() -> None:
    assert stand(approve("ann"), known=Registry((approver("ann", loops=("other",)),))).missing == 2
    assert stand(approve("ann"), known=Registry((approver("ann", loops=("toy",)),))).missing == 1


@pytest.mark.parametrize("kind", ["retrain", "request"])
def test_who_asked_for_it_cannot_approve_it(kind: Any) -> None:
    asked = decision(kind, "person:Ann", at=-1)
    found = stand(approve("ann"), approve("bob"), before=(asked,))
    assert found.approved_by == ("bob",)
    assert "asked for version 2" in found.problems[0]
    # A rejection by whom asked for it is no danger.
    against = recorded(statement("ann", "reject"))
    assert stand(against, before=(asked,)).rejected_by == ("ann",)


def test_who_asked_cannot_approve_under_another_name_of_the_same_key() -> None:
    same = Registry((replace(approver("ann"), name="ann.smith"), approver("ann"), approver("bob")))
    said = recorded(replace(statement("ann"), by="ann.smith"), key_of("ann"))
    found = stand(said, known=same, before=(decision("retrain", "person:ann", at=-1),))
    assert found.approved_by == ()
    assert "asked for version 2" in found.problems[0]


def test_who_asked_is_known_by_keys_that_were_revoked_too() -> None:
    old = replace(approver("ann"), revoked=hours(-9))
    renewed = replace(approver("ann"), public=key_of("ann, again").public)
    said = recorded(statement("ann"), key_of("ann, again"))
    found = stand(
        said, known=Registry((old, renewed)), before=(decision("retrain", "person:ann", at=-1),)
    )
    assert "asked for version 2" in found.problems[0]


def test_one_key_of_two_names_is_one_person() -> None:
    same = Registry((replace(approver("ann"), name="ann.smith"), approver("ann")))
    second = recorded(replace(statement("ann"), by="ann.smith"), key_of("ann"))
    assert len(stand(approve("ann"), second, known=same).approved_by) <= 1


def test_an_approval_comes_after_the_request() -> None:
    early = approve("ann", at=hours(-1), expires_at=hours(40))
    assert stand(before=(early,)).approved_by == ()


@pytest.mark.parametrize("end", ["promote", "refuse", "rollback"])
def test_what_was_said_before_the_end_counts_no_more(end: Any) -> None:
    old = (request(-3), approve("ann", at=hours(-2)), approve("bob", at=hours(-2)))
    ended = decision(end, at=-1)
    asked = request(0)
    for decisions in ([*old, ended, asked], [old[0], *old[1:], ended, asked]):
        assert standing(CONFIG, asked, decisions, EVERYBODY, hours(2)).missing == 2
    rejected = recorded(statement("cid", "reject", at=hours(-2)))
    found = standing(CONFIG, asked, [old[0], rejected, ended, asked], EVERYBODY, hours(2))
    assert found.rejected_by == ()


def test_a_version_that_was_rolled_back_from_is_not_let_through_by_old_words() -> None:
    back = decision("rollback", at=-1, version="1", previous_version="2")
    old = approve("ann", at=hours(-2), expires_at=hours(40))
    asked = request(-3)
    assert standing(CONFIG, asked, [asked, old, back], EVERYBODY, hours(2)).missing == 1
    anew = request(0)
    assert standing(CONFIG, anew, [asked, old, back, anew], EVERYBODY, hours(2)).missing == 2


def test_a_rejection_needs_no_request() -> None:
    gate = decision("gate", details={"statement": asdict(BOUND)})
    against = recorded(statement("cid", "reject"))
    found = standing(CONFIG, gate, [gate, against], EVERYBODY, hours(2))
    assert found.rejected_by == ("cid",)
    before = recorded(statement("cid", "reject", at=hours(-0.5)))
    asked = request()
    assert standing(CONFIG, asked, [gate, before, asked], EVERYBODY, hours(2)).rejected_by


def test_a_request_that_is_not_in_the_ledger_is_approved_by_nobody() -> None:
    assert standing(CONFIG, request(), [approve("ann")], EVERYBODY, hours(2)).missing == 2


def test_a_request_may_ask_for_more_people_never_for_fewer() -> None:
    assert stand(asked=request(people=3)).missing == 3
    assert stand(asked=request(people=1)).missing == 2


def test_a_request_without_digests_is_said() -> None:
    with pytest.raises(ApprovalError, match="names no digests"):
        stand(asked=decision("request"))


def test_what_is_said_of_another_version_is_not_heard() -> None:
    other = recorded(statement("ann", version="3"))
    assert stand(other) == Standing((), (), 2, ())


def overrides(*said: Decision, now: float = 2, before: tuple[Decision, ...] = ()) -> list[str]:
    found = standing_overrides(CONFIG, "2", BOUND, [*before, *said], EVERYBODY, hours(now))
    return [override.gate for override in found]


def let_through(by: str, gate: str = "latency", **changes: Any) -> Decision:
    return recorded(statement(by, "override", gate=gate, **changes))


def test_an_override_counts_until_it_expires() -> None:
    assert overrides(let_through("ann")) == ["latency"]
    assert overrides(let_through("ann"), now=48.9) == ["latency"]
    assert overrides(let_through("ann"), now=49) == []
    # It may hold for longer than an approval: as long as a trial and the asking can take.
    longest = (56 + 14) * 24 + 72
    assert overrides(let_through("ann", expires_at=hours(1 + longest)), now=400) == ["latency"]
    assert overrides(let_through("ann", expires_at=hours(1.1 + longest)), now=400) == []


def test_an_override_is_of_one_model_evaluation_and_configuration() -> None:
    assert overrides(let_through("ann", bound=replace(BOUND, evaluation="d" * 64))) == []
    assert overrides(replace(let_through("ann", version="3"), version="2")) == []
    assert overrides(recorded(statement("ann", gate="latency"), kind="override")) == []
    assert overrides(recorded(statement("ann", "override", gate="latency"), key_of("bob"))) == []


def test_who_asked_cannot_override() -> None:
    asked = decision("retrain", "person:ann", at=-1)
    assert overrides(let_through("ann"), let_through("bob", "size"), before=(asked,)) == ["size"]


def test_an_override_outlives_a_refusal_not_a_promotion() -> None:
    given = let_through("ann")
    assert overrides(given, decision("refuse", at=1.5)) == ["latency"]
    assert overrides(given, decision("promote", at=1.5)) == []
    assert overrides(given, decision("promote", at=1)) == []  # in the same moment, but after it
    back = decision("rollback", at=1.5, version="1", previous_version="2")
    assert overrides(given, back) == []
    kept = replace(given, time=hours(1.8))  # signed before the rollback, handed in after it
    assert overrides(back, kept) == []
    assert overrides(back, let_through("ann", at=hours(1.6))) == ["latency"]


@settings(deadline=None)
@given(
    st.text(max_size=30), st.text(max_size=30), st.sampled_from(["approve", "reject", "override"])
)
def test_a_statement_comes_back_as_it_was(reason: str, gate: str, action: Any) -> None:
    said = statement("ann", action, reason=reason, gate=gate)
    assert Statement.from_dict(said.to_dict()) == said


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "praise"},
        {"at": "yesterday"},
        {"at": "2024-03-01T12:00:00"},
        {"at": "2024-03-01T13:00:00+01:00"},
        {"model": ""},
        {"purpose": "another"},
        {"more": "fields"},
        {"version": 2},
    ],
)
def test_a_statement_of_another_form_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(ApprovalError):
        Statement.from_dict({**statement("ann").to_dict(), **changes})
    lacking = {k: v for k, v in statement("ann").to_dict().items() if k not in changes}
    if lacking != statement("ann").to_dict():
        with pytest.raises(ApprovalError):
            Statement.from_dict(lacking)


def test_what_is_signed_says_what_it_is_for() -> None:
    """The bytes that people sign: a change here makes every signature of before worthless."""
    assert statement("ann").to_dict() == {
        "purpose": "feedback_assets decision 1",
        "loop": "toy",
        "version": "2",
        "action": "approve",
        "gate": "",
        "model": "a" * 64,
        "evaluation": "b" * 64,
        "config": "c" * 64,
        "reason": "looks right",
        "by": "ann",
        "at": "2024-03-01T13:00:00+00:00",
        "expires_at": "2024-03-03T13:00:00+00:00",
    }


def test_digests_are_all_there_or_none_are() -> None:
    assert Bound.of(asdict(BOUND)) == BOUND
    assert Bound.of({"model": "a", "evaluation": "b"}) is None
    assert Bound.of(None) is None
