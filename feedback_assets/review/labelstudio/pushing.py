"""Questions on their way into a project: each arrives once, whatever becomes of a request.

Before a question is sent it is reserved in the store. Whether it arrived is told by the project
itself, where each task carries the question's id, and never by an answer that may be lost.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from feedback_assets.config.schema import Config
from feedback_assets.errors import LabelStudioError
from feedback_assets.review.labelstudio.client import PATIENCE_SECONDS, Client
from feedback_assets.review.labelstudio.listing import read_listing
from feedback_assets.review.labelstudio.project import ROUTE
from feedback_assets.review.labelstudio.tasks import wire_task
from feedback_assets.review.records import Task
from feedback_assets.review.store import ReviewStore

ROUNDS = 5
"""How often the rest of a batch is sent again after it was unknown what became of it."""
FINAL = (401, 403, 404, 429)
"""Refusals that smaller batches would meet too."""


@dataclass
class Push:
    """One errand of sending."""

    config: Config
    client: Client
    project: int
    store: ReviewStore
    now: dt.datetime
    tell: Callable[[str], None]
    refused: list[str] = field(default_factory=list)
    """Questions that Label Studio does not take."""

    def send(self, tasks: Sequence[Task], size: int) -> None:
        """Send questions that are not in the project, `size` with one request, in this order.

        Raises:
            LabelStudioError: Nothing more can be sent now; what was not sent waits for the next time.
        """
        placed = self.store.placed(ROUTE)
        for start in range(0, len(tasks), size):
            batch = tasks[start : start + size]
            free = self.store.reserve(ROUTE, [task.task_id for task in batch], self.now)
            own = {*free, *(t.task_id for t in batch if t.task_id in placed)}
            self._batch([task for task in batch if task.task_id in own], 0)

    def _batch(self, batch: Sequence[Task], tried: int) -> None:
        if not batch:
            return
        try:
            self._import(batch)
        except LabelStudioError as error:
            refused = error.status is not None and 400 <= error.status < 500
            if error.status in FINAL or (error.status or 0) // 100 == 3:
                raise
            rest = self._missing(batch, error)
            if refused:
                self._smaller(rest, error)
            elif rest and tried + 1 < ROUNDS:
                self.client.sleep(2.0**tried)
                self._batch(rest, tried + 1)
            elif rest:
                raise

    def _smaller(self, rest: Sequence[Task], error: LabelStudioError) -> None:
        """Find the questions that are refused, and send the others."""
        if len(rest) == 1:
            self.refused.append(rest[0].task_id)
            self.store.unplace(ROUTE, self.refused[-1:])
            self.tell(f"question {rest[0].task_id} is not taken: {error}")
            return
        middle = len(rest) // 2
        self._batch(rest[:middle], 0)
        self._batch(rest[middle:], 0)

    def _import(self, batch: Sequence[Task]) -> None:
        said = self.client.ask(
            "POST",
            f"api/projects/{self.project}/import",
            params={"return_task_ids": "true"},
            body=[wire_task(self.config, task) for task in batch],
            again=False,
        )
        # Where imports are done in the background, only its number is told.
        if isinstance(said, dict) and isinstance(said.get("import"), int):
            self._await(said["import"])

    def _await(self, number: int) -> None:
        waited, pause = 0.0, 0.5
        while waited < PATIENCE_SECONDS:
            said = self.client.ask("GET", f"api/projects/{self.project}/imports/{number}/")
            status = said.get("status") if isinstance(said, dict) else None
            if status == "completed":
                return
            if status == "failed":
                raise LabelStudioError(
                    f"import {number} failed: {str(said.get('error'))[:300]}", 400
                )
            self.client.sleep(pause)
            waited, pause = waited + pause, min(pause * 2, 10.0)
        raise LabelStudioError(
            f"import {number} into project {self.project} takes longer than {PATIENCE_SECONDS:.0f} "
            "seconds: run the sync again later, it looks for what arrived"
        )

    def _missing(self, batch: Sequence[Task], error: LabelStudioError) -> list[Task]:
        """What of a batch did not arrive.

        Raises:
            LabelStudioError: That cannot be told now; the next sync looks again.
        """
        listing = read_listing(self.client, self.project, self.config.name)
        if not listing.whole:
            raise error
        arrived = listing.first()
        return [task for task in batch if task.task_id not in arrived]
