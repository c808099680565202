"""A project and the store made to agree: what stands there, what is gone, what may go."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from feedback_assets.errors import LabelStudioError
from feedback_assets.review.labelstudio.client import Client
from feedback_assets.review.labelstudio.listing import Found, Listing
from feedback_assets.review.labelstudio.project import ROUTE
from feedback_assets.review.records import Task
from feedback_assets.review.store import ReviewStore


@dataclass(frozen=True)
class Tidy:
    """One errand of making a project and the store agree."""

    client: Client
    store: ReviewStore
    now: dt.datetime
    tell: Callable[[str], None]

    def note_places(self, listing: Listing) -> int:
        """Note what arrived, also what an earlier errand never learned of.

        Returns:
            How many questions were not known to stand there.
        """
        placed, first = self.store.placed(ROUTE), listing.first()
        fresh = {
            task_id: found
            for task_id, found in first.items()
            if placed.get(task_id) != str(found.number)
        }
        ours = self.store.tasks(list(fresh))
        for task in ours:
            self._ask_more(task, fresh[task.task_id])
        numbers = {task.task_id: str(fresh[task.task_id].number) for task in ours}
        self.store.place(ROUTE, numbers, self.now)
        return sum(placed.get(task_id) is None for task_id in numbers)

    def note_deleted(self, listing: Listing) -> int:
        """Ask nobody any more what somebody deleted there; how many questions.

        Nothing is concluded from a list that may lack some.
        """
        if not listing.whole:
            return 0
        first, closed = listing.first(), set(self.store.closed(ROUTE))
        gone = [
            task_id
            for task_id, number in self.store.placed(ROUTE).items()
            if number is not None and task_id not in first
        ]
        open_ones = [task_id for task_id in gone if task_id not in closed]
        self.store.withdraw(open_ones, self.now)
        self.store.unplace(ROUTE, gone)
        if open_ones:
            self.tell(
                f"{len(open_ones)} questions were deleted in Label Studio: nobody is asked them now"
            )
        return len(open_ones)

    def remove(self, listing: Listing) -> int:
        """Take out what nobody needs to answer there: what is done or too old, and second copies.

        A task that anybody has said something of stays. How many were taken out.
        """
        first, closed = listing.first(), self.store.closed(ROUTE)
        old = [first[one] for one in closed if one in first and not first[one].annotations]
        own = {task.task_id for task in self.store.tasks(list(first))}
        copies = [
            found
            for found in listing.tasks
            if found.task_id in own and found is not first[found.task_id] and not found.annotations
        ]
        removed = [found for found in old if self._remove(found)]
        self.store.unplace(ROUTE, [found.task_id for found in removed])
        return len(removed) + sum(self._remove(found) for found in copies)

    def _remove(self, found: Found) -> bool:
        """Delete a task, unless somebody has begun it since the list was read."""
        path = f"api/tasks/{found.number}/"
        try:
            said = self.client.ask("GET", path)
            if not isinstance(said, dict) or said.get("annotations") or said.get("drafts"):
                return False
            self.client.ask("DELETE", path)
        except LabelStudioError as error:
            if error.status == 404:
                return True
            if error.status == 403:
                self.tell(f"task {found.number} cannot be taken out: {error}")
                return False
            raise
        return True

    def _ask_more(self, task: Task, found: Found) -> None:
        """Have a question put to as many people as it wants, where that differs from the project."""
        if found.overlap is None or found.overlap >= task.answers or found.annotations:
            return
        try:
            self.client.ask("PATCH", f"api/tasks/{found.number}/", body={"overlap": task.answers})
        except LabelStudioError as error:
            if error.status is None or error.status >= 500:
                raise
            self.tell(f"task {found.number} is put to {found.overlap} people only: {error}")
