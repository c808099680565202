"""The routes below /v1/{loop}/review: the next question, its answer, skipping, undoing, progress."""

import dataclasses
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from feedback_assets.door.calls import JSON, Call, Reply
from feedback_assets.door.endpoint import admit, body_of
from feedback_assets.door.moments import EPOCH, iso
from feedback_assets.door.problems import Problem
from feedback_assets.door.reviewbodies import ReviewBodies, Said
from feedback_assets.door.reviewing import Asked
from feedback_assets.door.state import RETRY, OpenLoop, Service
from feedback_assets.errors import ReviewError
from feedback_assets.review.asking import Leased
from feedback_assets.review.progress import Progress
from feedback_assets.review.records import Answer, Saying, Task

KINDS = (JSON,)
COUNTS = ("open", "done", "mine", "mine_skipped", "mine_today", "left")
"""What of the progress is told: whole numbers of questions."""
NO_TASK = "there is no question of that id"
OTHERWISE = (
    "you answered this question before, and otherwise; the first answer stands until it is undone"
)
NOT_UNDONE = (
    "only your last answer can be taken back, for a while and as long as nobody has used it"
)


class ReviewRoutes:
    """The handlers of one loop, or of a name that is none.

    The annotator is always the token's name: nobody can answer as somebody else.
    """

    def __init__(self, service: Service, name: str) -> None:
        self._service = service
        self._name = name
        loop = service.loops.get(name)
        if loop is not None:
            self._bodies = ReviewBodies(loop.config)

    async def next(self, call: Call) -> Reply:
        """GET /v1/{loop}/review/next."""
        loop = self._admit(call)
        asked = await kept(loop.desk.next(call.principal.name, moment(call)))
        if asked.leased is not None and not asked.leased.resumed:
            loop.meter.asked()
        return _json(_told(asked, call.principal.name, not loop.config.review.hide_opinion))

    async def opinion(self, call: Call) -> Reply:
        """GET /v1/{loop}/review/{id}/opinion."""
        loop = self._admit(call)
        task = await kept(loop.desk.opinion(call.principal.name, call.scope["path_params"]["id"]))
        if task is None:
            raise Problem(404, "no-task", NO_TASK)
        return _json({"task_id": task.task_id, "opinion": dict(task.opinion)})

    async def answer(self, call: Call) -> Reply:
        """POST /v1/{loop}/review/{id}/answer."""
        return await self._take(call, "label", lambda bodies, body: bodies.answer(body))

    async def skip(self, call: Call) -> Reply:
        """POST /v1/{loop}/review/{id}/skip."""
        return await self._take(call, "skip", lambda bodies, body: bodies.skip(body))

    async def undo(self, call: Call) -> Reply:
        """POST /v1/{loop}/review/undo."""
        loop = self._admit(call)
        body, _ = await body_of(loop, call, KINDS)
        said = self._bodies.undo(body)
        annotator = call.principal.name
        undone, progress = await kept(loop.desk.undo(annotator, said.annotation_id, moment(call)))
        if undone is None:
            raise Problem(409, "not-undone", NOT_UNDONE)
        loop.meter.reviewed("page", "undone")
        asked = Asked(Leased(undone.task, undone.until, resumed=True), progress)
        told = _told(asked, annotator, not loop.config.review.hide_opinion)
        return _json({"annotation_id": said.annotation_id, "state": "undone"} | told)

    async def progress(self, call: Call) -> Reply:
        """GET /v1/{loop}/review/progress."""
        loop = self._admit(call)
        annotator = call.principal.name
        return _json(_counts(await kept(loop.desk.progress(annotator, moment(call))), annotator))

    async def _take(
        self, call: Call, saying: Saying, read: Callable[[ReviewBodies, bytes], Said]
    ) -> Reply:
        loop = self._admit(call)
        try:
            body, _ = await body_of(loop, call, KINDS)
            said = read(self._bodies, body)
        except Problem:
            loop.meter.reviewed("page", "refused")
            raise
        answer = self._answer(call, loop, saying, said)
        outcome = await kept(loop.desk.answer(answer, moment(call)))
        loop.meter.reviewed("page", outcome)
        if outcome == "unknown":
            raise Problem(404, "no-task", NO_TASK)
        if outcome == "conflict":
            raise Problem(409, "conflict", OTHERWISE)
        if outcome == "stored" and said.duration_seconds is not None:
            loop.meter.pondered(said.duration_seconds)
        return _json({"annotation_id": said.annotation_id, "state": outcome})

    def _answer(self, call: Call, loop: OpenLoop, saying: Saying, said: Said) -> Answer:
        task_id, annotator = call.scope["path_params"]["id"], call.principal.name
        return Answer(
            annotation_id=said.annotation_id,
            task_id=task_id,
            annotator=annotator,
            said=saying,
            value=said.value,
            # The person's clock may be wrong; how long an answer waited is not.
            answered_at=moment(call) - dt.timedelta(seconds=said.waited_seconds),
            duration_seconds=said.duration_seconds,
            confidence=said.confidence,
            route="page",
            saw_opinion=said.saw_opinion or loop.desk.saw_opinion(annotator, task_id),
            note=said.note,
        )

    def _admit(self, call: Call) -> OpenLoop:
        return admit(self._service, call, self._name, ("review",))


async def kept(errand: "Awaitable[Any]") -> Any:
    """What the store says.

    Raises:
        Problem: 503, it cannot be read or written now.
    """
    try:
        return await errand
    except ReviewError:
        words = "the store of questions cannot be used now; nothing was stored"
        raise Problem(503, "review-store", words, headers=RETRY) from None


def moment(call: Call) -> dt.datetime:
    """When a request came."""
    return EPOCH + dt.timedelta(microseconds=call.received_us)


def _told(asked: Asked, annotator: str, open_opinion: bool) -> dict[str, Any]:
    """A question without what would give a golden one away, or pull towards an answer."""
    leased = asked.leased
    task = leased and _task(leased.task, open_opinion) | {
        "lease_until": _iso(leased.until),
        "resumed": leased.resumed,
    }
    return {"task": task, "progress": _counts(asked.progress, annotator)}


def _task(task: Task, open_opinion: bool) -> dict[str, Any]:
    return {
        "task_id": task.task_id,
        "prediction_id": task.prediction_id,
        "asked_at": _iso(task.asked_at),
        "reason": task.reason,
        "row": dict(task.row),
        "opinion": dict(task.opinion) if open_opinion else None,
    }


def _counts(progress: Progress, annotator: str) -> dict[str, Any]:
    counts = dataclasses.asdict(progress)
    told = {name: counts[name] for name in COUNTS}
    return {"annotator": annotator} | told | {"last": progress.last}


def _iso(when: dt.datetime) -> str:
    return iso((when - EPOCH) // dt.timedelta(microseconds=1))


def _json(told: dict[str, Any]) -> Reply:
    return Reply(200, msgspec.json.encode(told))
