"""What a database must do for the writer; each method but the two readers runs in its thread."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from feedback_assets.capture.inbox.jobs import Job
from feedback_assets.capture.inbox.records import Outcome, Replay


class Store(Protocol):
    """One database, opened for writing."""

    def write(self, jobs: Sequence[Job], counters: Mapping[str, float]) -> list[list[Outcome]]:
        """Store all jobs in one transaction; an outcome for each entry of each job.

        Raises:
            InboxFullError: Nothing was stored; trying later may help.
            InboxClosedError: The database must not be used any more.
            InboxError: One of the jobs cannot be stored as it is; nothing was.
        """
        ...

    def room(self) -> str:
        """Why nothing can be stored now; empty when it can."""
        ...

    def chores(self) -> float:
        """Do a little of what is due; seconds until there may be more.

        Raises:
            InboxClosedError: The database must not be used any more.
        """
        ...

    def counters(self) -> dict[str, float]:
        """Counters as they were saved last."""
        ...

    def may_know(self, principal: str, key: str) -> bool:
        """False when no answer is kept for the idempotency key; asked by the event loop."""
        ...

    def find(self, stream: str, loop: str, key: str) -> bytes | None:
        """The body of a stored row; asked by the reading thread."""
        ...

    def replayed(self, principal: str, key: str) -> Replay | None:
        """The answer kept for an idempotency key; asked by the reading thread."""
        ...

    def close(self) -> None:
        """End."""
        ...
