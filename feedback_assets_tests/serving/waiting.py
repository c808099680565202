"""Waiting for what a thread does."""

import time
from collections.abc import Callable


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    """Return as soon as it is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)
