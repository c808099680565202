"""What stands in a project of Label Studio: a loop's tasks and everything said of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from feedback_assets.errors import LabelStudioError
from feedback_assets.review.labelstudio.client import Client

PAGE = 200
ATTEMPTS = 3
"""How often a list is read that changes while it is read."""


@dataclass(frozen=True)
class Found:
    """A task that stands there."""

    number: int
    """Label Studio's own."""
    task_id: str
    """The question's."""
    overlap: int | None
    """People it is put to; None if not told."""
    annotations: tuple[Any, ...]


@dataclass(frozen=True)
class Listing:
    """A loop's tasks in a project."""

    tasks: tuple[Found, ...]
    """By number."""
    whole: bool
    """Whether surely none is missing; a list that changed while it was read may lack some."""

    def first(self) -> dict[str, Found]:
        """Question to the task that asks it; of several the one that was answered, else the oldest."""
        best: dict[str, Found] = {}
        for found in self.tasks:
            kept = best.get(found.task_id)
            if kept is None or (found.annotations and not kept.annotations):
                best[found.task_id] = found
        return best


def read_listing(client: Client, project: int, loop: str) -> Listing:
    """Read the tasks of a loop with their annotations, skipped ones too.

    Raises:
        LabelStudioError: The project is gone (404), or the list cannot be had.
    """
    for _ in range(ATTEMPTS):
        listing = _read_once(client, project, loop)
        if listing.whole:
            break
    return listing


def _read_once(client: Client, project: int, loop: str) -> Listing:
    seen: dict[int, Found | None] = {}
    totals = set()
    for page, total in _pages(client, project):
        totals.add(total)
        for task in page:
            seen[_number(task)] = _found(client, task, loop)
    own = sorted((one for one in seen.values() if one), key=lambda one: one.number)
    return Listing(tuple(own), whole=totals in ({len(seen)}, {None}, set()))


def _pages(client: Client, project: int) -> Iterator[tuple[list[Any], int | None]]:
    """Pages with the number of tasks that the server speaks of."""
    read, page = 0, 1
    while True:
        asked: dict[str, str | int] = {"project": project, "page": page, "page_size": PAGE}
        try:
            said = client.ask("GET", "api/tasks/", params={**asked, "fields": "all"})
        except LabelStudioError as error:
            # Past the last page some releases answer so: the list had become shorter meanwhile.
            if error.status == 404 and page > 1:
                return
            raise
        tasks, total = _page(client, said)
        yield tasks, total
        read, page = read + len(tasks), page + 1
        if not tasks or (total is not None and read >= total):
            return


def _page(client: Client, said: object) -> tuple[list[Any], int | None]:
    """The tasks of a page; older releases answer with nothing but a list."""
    tasks = said.get("tasks") if isinstance(said, dict) else said
    if not isinstance(tasks, list):
        raise LabelStudioError(f"{client.url} answered api/tasks/ without a list of tasks")
    total = said.get("total") if isinstance(said, dict) else None
    return tasks, total if isinstance(total, int) else None


def _found(client: Client, task: dict[str, Any], loop: str) -> Found | None:
    """A task as one of the loop's; None if it is somebody else's."""
    data = task.get("data")
    if not isinstance(data, dict) or data.get("loop") != loop:
        return None
    task_id, overlap = data.get("task_id"), task.get("overlap")
    if not isinstance(task_id, str):
        return None
    return Found(
        number=_number(task),
        task_id=task_id,
        overlap=overlap if isinstance(overlap, int) else None,
        annotations=tuple(_annotations(client, task)),
    )


def _annotations(client: Client, task: dict[str, Any]) -> list[Any]:
    """What was said of a task; asked for apart where the list only counts it."""
    said = task.get("annotations")
    if not isinstance(said, list):
        counted = [task.get("total_annotations"), task.get("cancelled_annotations")]
        if not any(counted):
            return []
        said = client.ask("GET", f"api/tasks/{_number(task)}/annotations/")
    return said if isinstance(said, list) else []


def _number(task: object) -> int:
    number = task.get("id") if isinstance(task, dict) else None
    if not isinstance(number, int) or isinstance(number, bool):
        raise LabelStudioError("Label Studio listed a task without a number")
    return number
