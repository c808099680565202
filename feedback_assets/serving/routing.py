"""Which arm a request falls into: drawn by HMAC, one salt for each experiment and kind.

The salts differ, so that whoever is in the shadow share is no likelier to be in the canary share.
"""

import hashlib
import hmac
from typing import Literal

from feedback_assets.config.serve import Routing

BUCKETS = 10_000
Kind = Literal["shadow", "canary", "explore"]


class Draw:
    """Draws of one experiment's kind: HMAC-SHA256 with a salt of its own; thread-safe."""

    def __init__(self, loop: str, experiment: str, kind: Kind) -> None:
        # Prepared once: a one-shot hmac looks the hash up anew for every request (15 us).
        self._hmac = hmac.new(salt(loop, experiment, kind), digestmod="sha256")

    def digest(self, stick: str) -> bytes:
        """32 bytes that look random and are always the same for the same stick."""
        drawn = self._hmac.copy()
        drawn.update(stick.encode("utf-8", "surrogatepass"))
        return drawn.digest()

    def bucket(self, stick: str) -> int:
        """One of the 10,000 buckets."""
        return int.from_bytes(self.digest(stick)[:8], "big") % BUCKETS


class Router:
    """The shares of one loop."""

    def __init__(self, loop: str, routing: Routing) -> None:
        self._shadow = Draw(loop, routing.experiment, "shadow")
        self._canary = Draw(loop, routing.experiment, "canary")
        self._shadow_buckets = round(routing.shadow_percent * BUCKETS / 100)
        self._canary_buckets = round(routing.canary_percent * BUCKETS / 100)

    def in_shadow(self, stick: str) -> bool:
        """Whether a challenger in shadow scores it too."""
        return self._shadow.bucket(stick) < self._shadow_buckets

    def in_canary(self, stick: str) -> bool:
        """Whether a challenger in canary answers it."""
        return self._canary.bucket(stick) < self._canary_buckets


def salt(loop: str, experiment: str, kind: Kind) -> bytes:
    """The key of one experiment's draws, 32 bytes."""
    parts = (part.encode() for part in (loop, experiment, kind))
    return hashlib.sha256(b"".join(len(p).to_bytes(4, "big") + p for p in parts)).digest()
