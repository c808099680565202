"""Refused payloads, kept with their reason for whoever looks after the sender.

Only of senders who were let in; headers are never kept. A flood is counted and not kept.
"""

import uuid

import msgspec

from feedback_assets.capture.inbox.records import Entry, Inbox, Stream
from feedback_assets.config.schema import Config
from feedback_assets.door.limits import Bucket
from feedback_assets.door.recorders import LoopMeter

KEPT_CHARACTERS = 500


class Quarantine:
    """The refused payloads of one loop.

    Args:
        config: The loop; its limits say how many are kept in a minute.
        inbox: Where they are kept.
        meter: Where they are counted.
    """

    def __init__(self, config: Config, inbox: Inbox, meter: LoopMeter) -> None:
        per_minute = config.serve.limits.quarantine_per_minute
        self._bucket = Bucket(per_minute / 60, per_minute)
        self._loop = config.name
        self._inbox = inbox
        self._meter = meter

    def keep(self, stream: Stream, reason: str, body: bytes, path: str, received_us: int) -> None:
        """Keep the beginning of a payload, if the minute's share is not used up.

        Args:
            stream: `refused_predictions` or `refused_feedback`.
            reason: The words of the problem, without values.
            body: As it came.
            path: Where it was sent.
            received_us: Microseconds since 1970, UTC.
        """
        self._meter.quarantined()
        if self._bucket.take():
            return
        kept = {
            "reason": reason,
            "line": body[: 4 * KEPT_CHARACTERS].decode(errors="replace")[:KEPT_CHARACTERS],
            "path": path,
            "received_us": received_us,
        }
        key = uuid.uuid4().hex
        self._inbox.append_soon(
            [Entry(stream, self._loop, key, received_us, msgspec.json.encode(kept))]
        )
