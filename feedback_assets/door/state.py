"""What the door holds while it runs: one service, and each of its loops."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from feedback_assets.capture.inbox.records import Inbox, Stream
from feedback_assets.config.schema import Config
from feedback_assets.door.auth import Doorkeeper
from feedback_assets.door.calls import Call
from feedback_assets.door.counting import CounterKeeper
from feedback_assets.door.events import EventCodec
from feedback_assets.door.idempotency import Keys
from feedback_assets.door.limits import Allowance
from feedback_assets.door.metrics import Meters
from feedback_assets.door.options import DoorOptions
from feedback_assets.door.problems import Problem
from feedback_assets.door.recorders import LoopMeter
from feedback_assets.door.refused import Quarantine
from feedback_assets.door.reviewing import ReviewDesk
from feedback_assets.door.rows import RowCodec
from feedback_assets.errors import InboxClosedError, InboxError
from feedback_assets.serving.engine import Engine
from feedback_assets.settings import Settings

RETRY = ((b"retry-after", b"1"),)
QUARANTINED = frozenset({400, 409, 413, 415, 422})


@dataclass
class OpenLoop:
    """One loop at work."""

    config: Config
    rows: RowCodec
    events: EventCodec
    meter: LoopMeter
    engine: Engine
    quarantine: Quarantine
    desk: ReviewDesk

    def refuse(self, call: Call, stream: Stream, problem: Problem, body: bytes) -> None:
        """Keep what was refused for its content, and count it."""
        if problem.status not in QUARANTINED or problem.slug in {"in-flight", "idempotency-key"}:
            return
        if stream == "refused_feedback" and problem.status != 409:
            self.meter.feedback(None, "refused")
        self.quarantine.keep(stream, problem.reason, body, call.path, call.received_us)


@dataclass
class Service:
    """Everything that routes share; the inbox and the loops are there once the app has started."""

    configs: Mapping[str, Config]
    settings: Settings
    options: DoorOptions
    now: Callable[[], int]
    keeper: Doorkeeper
    allowance: Allowance
    meters: Meters
    loops: dict[str, OpenLoop] = field(default_factory=dict)
    inbox: Inbox = field(init=False)
    keys: Keys = field(init=False)
    counters: CounterKeeper = field(init=False)

    def unavailable(self, error: InboxError) -> Problem:
        """The problem of an inbox that takes nothing; a stopped one ends the process."""
        if isinstance(error, InboxClosedError):
            if self.options.stop is not None:
                self.options.stop(self.inbox.stopped() or str(error))
            words = "the service is ending: its inbox takes nothing more"
        else:
            words = "too much waits to be written, or the disk is nearly full; nothing was stored"
        return Problem(503, "inbox", words, headers=RETRY)
