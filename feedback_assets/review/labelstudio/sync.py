"""One errand to Label Studio and back: answers fetched, questions sent, both sides made to agree.

It may be killed at any point and run again: what arrived is read from the project itself, and what
was said is kept under an id of its own.
"""

import datetime as dt
import fcntl
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from feedback_assets.config.schema import Config
from feedback_assets.errors import LabelStudioError
from feedback_assets.review.labelstudio.address import settings_of
from feedback_assets.review.labelstudio.client import Client
from feedback_assets.review.labelstudio.listing import Listing, read_listing
from feedback_assets.review.labelstudio.project import ROUTE, project_of
from feedback_assets.review.labelstudio.pulling import take_annotations
from feedback_assets.review.labelstudio.pushing import Push
from feedback_assets.review.labelstudio.tidying import Tidy
from feedback_assets.review.records import Task
from feedback_assets.review.store import ReviewStore
from feedback_assets.settings import Settings

MOST = 100_000
"""Questions looked at in one errand."""


@dataclass(frozen=True)
class Synced:
    """What one errand did."""

    url: str
    project: int
    sent: int
    """Questions that stand there now and did not before."""
    stored: int
    """Answers that are new here, skips among them."""
    skipped: int
    """Skips among `stored`."""
    repeated: int
    """Answers that were here already."""
    conflicts: int
    """Annotations by people who said something else of the row before; the first stands."""
    unread: int
    """Annotations that say nothing here, or speak of questions that are not kept here."""
    refused: int
    """Questions that Label Studio did not take."""
    deleted: int
    """Questions that somebody deleted there: nobody is asked them any more."""
    removed: int
    """Tasks taken out there: done or too old here, or second copies."""
    left: int
    """Questions that stand there and want answers."""

    def words(self) -> str:
        """One line for people."""
        parts = [
            f"project {self.project} in {self.url}: {self.stored} answers in"
            + (f" ({self.skipped} skipped)" if self.skipped else ""),
            f"{self.sent} questions out",
            f"{self.left} open there",
        ]
        rare = {
            "conflicts": self.conflicts,
            "not read": self.unread,
            "not taken": self.refused,
            "deleted there": self.deleted,
            "taken out": self.removed,
        }
        return ", ".join(parts + [f"{count} {name}" for name, count in rare.items() if count])


def sync(
    config: Config,
    settings: Settings,
    store: ReviewStore,
    now: dt.datetime,
    tell: Callable[[str], None],
    client: Client | None = None,
) -> Synced:
    """Fetch what people said and send what waits to be asked.

    Args:
        config: The loop; its section `review.label_studio` says where.
        settings: Where the home is.
        store: The loop's questions.
        now: When the answers are received.
        tell: Takes sentences about what went otherwise than planned.
        client: Asks the server; made from the section and the environment if absent.

    Raises:
        LabelStudioError: Not set up, refused, or no answer. What was done until then stands, and the
            next errand goes on from there.
    """
    own = settings_of(config)
    with _alone(settings.root / "review" / f"{config.name}.label_studio.lock"):
        asked = client or Client.of(own)
        try:
            project = project_of(config, own.project, store, asked, tell)
            return _exchange(config, asked, project, store, now, tell)
        finally:
            if client is None:
                asked.close()


def _exchange(
    config: Config,
    client: Client,
    project: int,
    store: ReviewStore,
    now: dt.datetime,
    tell: Callable[[str], None],
) -> Synced:
    tidy = Tidy(client, store, now, tell)
    listing = read_listing(client, project, config.name)
    # Answers first: they are what cannot be had again if Label Studio is gone tomorrow.
    counts = take_annotations(config, client, store, listing.tasks, now, tell)
    sent = tidy.note_places(listing)
    deleted, removed = tidy.note_deleted(listing), tidy.remove(listing)
    push = Push(config, client, project, store, now, tell)
    waiting = _waiting(store, listing, now)
    if waiting:
        push.send(waiting, settings_of(config).batch)
        sent += tidy.note_places(read_listing(client, project, config.name))
    return _synced(client.url, project, counts, sent, len(push.refused), deleted, removed, store)


def _waiting(store: ReviewStore, listing: Listing, now: dt.datetime) -> list[Task]:
    """Questions to send: those never sent, and those of which it is sure that they did not arrive."""
    # Their places are noted already: of these alone it is unknown whether they were ever sent.
    lost = [task_id for task_id, number in store.placed(ROUTE).items() if number is None]
    closed = set(store.closed(ROUTE))
    again = store.tasks([one for one in lost if one not in closed]) if listing.whole else []
    return [*again, *store.pending(now, MOST)]


def _synced(
    url: str,
    project: int,
    counts: Counter[str],
    sent: int,
    refused: int,
    deleted: int,
    removed: int,
    store: ReviewStore,
) -> Synced:
    return Synced(
        url=url,
        project=project,
        sent=sent,
        stored=counts["stored"],
        skipped=counts["skipped"],
        repeated=counts["repeated"],
        conflicts=counts["conflict"],
        unread=counts["unread"] + counts["unknown"],
        refused=refused,
        deleted=deleted,
        removed=removed,
        left=len(store.placed(ROUTE)) - len(store.closed(ROUTE)),
    )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the errand's lock, which ends with the process.

    Raises:
        LabelStudioError: Another process is on the same errand.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabelStudioError(
                f"another process exchanges with Label Studio just now ({path}): let it finish"
            ) from None
        yield
    finally:
        os.close(handle)
