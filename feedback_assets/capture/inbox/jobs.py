"""What one caller hands to the writer, checked so that it cannot spoil the others' transaction."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from feedback_assets.capture.inbox.records import Entry, Outcome, Replay
from feedback_assets.errors import InboxError

KEY_CHARACTERS = 1_000
"""PostgreSQL's index takes about 2,700 bytes; both inboxes take the same keys."""
_LARGEST = 2**63 - 1


@dataclass(slots=True, eq=False)
class Job:
    """Entries that are stored together, and whom to tell."""

    entries: Sequence[Entry]
    bodies: Sequence[str]
    """The entries' bodies as text."""
    replay: Replay | None
    done: "asyncio.Future[list[Outcome]] | None"
    """Nobody waits if absent."""
    size: int
    """Bytes that the job holds while it waits."""


def is_key(text: str) -> bool:
    """Whether a row may have that key."""
    if not 0 < len(text) <= KEY_CHARACTERS or "\0" in text:
        return False
    # The only characters without an encoding are halves of surrogate pairs.
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def make_job(
    entries: Sequence[Entry],
    replay: Replay | None = None,
    done: "asyncio.Future[list[Outcome]] | None" = None,
) -> Job:
    """Check the entries and wrap them.

    Raises:
        InboxError: An entry cannot be stored as it is; the message names its place and field.
    """
    bodies: list[str] = []
    size = 0
    if replay is not None:
        if not is_key(replay.key) or not is_key(replay.principal):
            raise InboxError(
                f"Replay: key and principal must be 1 to {KEY_CHARACTERS} characters of Unicode"
            )
        size = len(replay.content)
    for place, entry in enumerate(entries):
        _, _, key, time_us, raw, digest = entry
        if not isinstance(digest, bytes):
            raise InboxError(f"Entry {place}: digest must be bytes")
        try:
            body = raw.decode()
        except UnicodeError:
            raise InboxError(f"Entry {place}: the body must be UTF-8") from None
        if "\0" in body:
            raise InboxError(f"Entry {place}: the body must not hold the character NUL")
        if not is_key(key):
            raise InboxError(
                f"Entry {place}: key must be 1 to {KEY_CHARACTERS} characters of Unicode, not NUL"
            )
        if not -_LARGEST <= time_us <= _LARGEST:
            raise InboxError(f"Entry {place}: time_us is beyond 64 bits")
        bodies.append(body)
        size += len(raw)
    return Job(entries, bodies, replay, done, size)


def by_job(
    jobs: Sequence[Job], outcomes: Sequence[Outcome]
) -> tuple[list[list[Outcome]], list[Replay]]:
    """Outcomes of all entries in a row, as one list for each job, and the replays to keep."""
    answers: list[list[Outcome]] = []
    kept: list[Replay] = []
    start = 0
    for job in jobs:
        end = start + len(job.entries)
        its = list(outcomes[start:end])
        answers.append(its)
        start = end
        if job.replay is not None and all(what.state == "stored" for what in its):
            kept.append(job.replay)
    return answers, kept
