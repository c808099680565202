"""Counters that several threads add to."""

import threading
from collections import Counter

NAMES = (
    "answered", "unanswered", "canary", "canary_failed", "explored", "fallback_cache",
    "fallback_default", "fallback_previous", "shadow_dropped", "shadow_failed", "shadow_scored",
    "swap_failures", "swaps",
)  # fmt: skip


class Counts:
    """What an engine did, in rows and swaps, since it was made."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter(dict.fromkeys(NAMES, 0))
        self._lock = threading.Lock()

    def add(self, name: str, n: int = 1) -> None:
        """Count."""
        with self._lock:
            self._counts[name] += n

    def all(self) -> dict[str, int]:
        """Every counter by name."""
        with self._lock:
            return dict(self._counts)
