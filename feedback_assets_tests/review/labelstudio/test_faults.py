"""Whatever goes wrong on the way: no question is lost or doubled, and no answer either."""

import pytest

from feedback_assets.errors import LabelStudioError
from feedback_assets.review.labelstudio.project import ROUTE
from feedback_assets_tests.review.labelstudio.errands import Errands
from feedback_assets_tests.review.labelstudio.simulated import Fault

IMPORT = r"POST .*/import$"
WENT_WRONG = (
    "500", "503", "429", "half", "done500", "lost", "reset", "truncated", "html", "html502",
)  # fmt: skip


def settled(errands: Errands, questions: int) -> None:
    """Everything stands there once, and both sides know it."""
    assert sorted(errands.studio.asked()) == sorted(f"t{n}" for n in range(questions))
    assert errands.store.placed(ROUTE) == {
        f"t{n}": str(errands.studio.task_of(f"t{n}")["id"]) for n in range(questions)
    }


def until_well(errands: Errands, *, every: bool = False) -> None:
    """Errands until one ends well, or (`every`) until nothing is left that goes wrong either."""
    for _ in range(30):
        try:
            errands.sync()
        except LabelStudioError:
            continue
        if not every or not any(fault.times for fault in errands.studio.faults):
            return
    raise AssertionError("no errand ended well")


@pytest.mark.parametrize("kind", WENT_WRONG)
def test_one_import_goes_wrong_in_the_middle(errands: Errands, kind: str) -> None:
    errands.put(11)
    errands.studio.faults = [Fault(IMPORT, kind, skip=1)]
    try:
        assert errands.sync().sent == 11
    except LabelStudioError:
        assert errands.sync().left == 11
    settled(errands, 11)


@pytest.mark.parametrize("kind", WENT_WRONG)
def test_every_import_goes_wrong_for_a_while(errands: Errands, kind: str) -> None:
    errands.put(7)
    errands.studio.faults = [Fault(IMPORT, kind, skip=1, times=9)]
    until_well(errands)
    settled(errands, 7)


@pytest.mark.parametrize("kind", WENT_WRONG)
def test_any_request_goes_wrong_once(errands: Errands, kind: str) -> None:
    """Every request of two errands in turn, answers among them."""
    errands.put(6)
    errands.sync()
    errands.studio.annotate(errands.studio.task_of("t1"), "1")
    errands.put(9)
    errands.studio.annotate(errands.studio.task_of("t2"), "0")
    errands.studio.faults = [Fault(".", kind, skip=n) for n in range(8)]
    until_well(errands, every=True)
    settled(errands, 9)
    assert sorted(errands.answers()) == [
        ("t1", "ann@example.com", "label", "1"),
        ("t2", "ann@example.com", "label", "0"),
    ]
    assert len(errands.studio.projects) == 1


@pytest.mark.parametrize("kind", ["lost", "done500", "truncated", "reset", "500"])
def test_a_project_is_set_up_once_though_its_answer_is_lost(errands: Errands, kind: str) -> None:
    errands.put(2)
    errands.studio.faults = [Fault("POST /api/projects/$", kind)]
    try:
        errands.sync()
    except LabelStudioError:
        errands.sync()
    assert len(errands.studio.projects) == 1
    settled(errands, 2)


@pytest.mark.parametrize("uses", [1, 2, 3])
def test_the_access_token_expires_in_the_middle_of_a_push(errands: Errands, uses: int) -> None:
    errands.put(11)
    errands.studio.access_uses = uses
    assert errands.sync().sent == 11
    settled(errands, 11)
    refreshes = errands.studio.seen.count("POST /api/token/refresh/")
    assert refreshes == -(-(len(errands.studio.seen) - refreshes - errands.studio.refused) // uses)


def test_a_revoked_personal_token_says_so_and_sends_nothing(errands: Errands) -> None:
    errands.put(2)
    errands.studio.faults = [Fault("POST /api/token/refresh/", "401", times=99)]
    with pytest.raises(LabelStudioError, match="expired or was revoked"):
        errands.sync()
    assert errands.studio.seen == ["POST /api/token/refresh/"]


def test_a_late_import_that_doubles_is_healed(errands: Errands) -> None:
    """A server that answers 503 and goes on importing all the same, after it was looked for."""
    errands.put(4)
    errands.sync()
    copies = []
    for task_id in ("t0", "t1"):
        own = errands.studio.task_of(task_id)
        copy = {**own, "id": errands.studio.number(), "annotations": []}
        copies.append(copy)
    errands.studio.tasks |= {copy["id"]: copy for copy in copies}
    assert errands.sync().removed == 2
    settled(errands, 4)


def test_no_wait_is_longer_than_asked_for_and_none_shorter(errands: Errands) -> None:
    errands.put(1)
    errands.studio.faults = [Fault("GET /api/users/", "429", value="17")]
    errands.sync()
    assert len(errands.waited) == 1
    assert 17 <= errands.waited[0] <= 17.5


def test_a_server_that_wants_to_be_left_alone_is(errands: Errands) -> None:
    errands.put(1)
    errands.studio.faults = [Fault(IMPORT, "429", value="3600", times=9)]
    with pytest.raises(LabelStudioError, match="3600 seconds of patience"):
        errands.sync()
    assert errands.waited == []
    errands.studio.faults.clear()
    assert errands.sync().sent == 1
    settled(errands, 1)
