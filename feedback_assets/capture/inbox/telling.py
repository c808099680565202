"""Telling those who wait what became of their rows."""

import asyncio
import contextlib

from feedback_assets.capture.inbox.jobs import Job
from feedback_assets.capture.inbox.records import Outcome
from feedback_assets.errors import InboxError

Results = list[tuple[Job, list[Outcome] | InboxError]]


def tell(results: Results) -> None:
    """Settle all futures of one commit with one call into each event loop, from any thread."""
    loops: dict[asyncio.AbstractEventLoop, Results] = {}
    for result in results:
        done = result[0].done
        if done is not None:
            loops.setdefault(done.get_loop(), []).append(result)
    for loop, its in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop has ended and nobody waits
            loop.call_soon_threadsafe(_settle, its)


def _settle(results: Results) -> None:
    for job, result in results:
        if job.done is None or job.done.done():  # its caller may have gone away
            continue
        if isinstance(result, InboxError):
            job.done.set_exception(type(result)(*result.args))
        else:
            job.done.set_result(result)
