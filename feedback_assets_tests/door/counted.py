"""What tests of metrics share: reading them, and an inbox that keeps counters."""

import asyncio
from typing import cast

from prometheus_client.parser import text_string_to_metric_families

from feedback_assets.capture.inbox.records import Inbox

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: bytes) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


class FakeInbox:
    """Counters are on disk a moment after they were given, unless it is stuck or killed."""

    def __init__(self, disk: dict[str, float] | None = None) -> None:
        self.disk = {} if disk is None else disk
        self.given: dict[str, float] = {}
        self.stuck = False
        self.why = ""
        self.saves = 0

    def counters(self) -> dict[str, float]:
        return dict(self.disk)

    def save_counters(self, counters: dict[str, float]) -> None:
        self.saves += 1
        self.given.update(counters)

    def append_soon(self, entries: object) -> bool:
        if not self.stuck:
            asyncio.get_running_loop().call_later(0.02, self._write)
        return True

    def _write(self) -> None:
        self.disk.update(self.given)

    def waiting(self) -> int:
        return 7

    def stopped(self) -> str:
        return self.why

    def as_inbox(self) -> Inbox:
        return cast("Inbox", self)
