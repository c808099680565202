"""Which idempotency keys were surely never seen, told without touching the disk."""

import time
from collections.abc import Callable, Iterator
from hashlib import blake2b

BITS = 2**24
"""Two MiB a generation: of a million keys, 2 in 1,000 unknown ones are looked up for nothing."""
PROBES = 4


class Seen:
    """A Bloom filter of two generations, so that it forgets keys after a life or two."""

    def __init__(self, life_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._life = life_s
        self._now = now
        self._young = bytearray(BITS // 8)
        self._old = bytearray(0)
        self._begun = now()

    def add(self, principal: str, key: str) -> None:
        """Remember a key; called by one thread."""
        if self._now() - self._begun > self._life:
            self._old, self._young = self._young, bytearray(BITS // 8)
            self._begun = self._now()
        young = self._young
        for bit in _bits(principal, key):
            young[bit >> 3] |= 1 << (bit & 7)

    def may_know(self, principal: str, key: str) -> bool:
        """False only for a key that was not added within the life; called by any thread."""
        bits = list(_bits(principal, key))
        return any(
            generation and all(generation[bit >> 3] & 1 << (bit & 7) for bit in bits)
            for generation in (self._young, self._old)
        )


def _bits(principal: str, key: str) -> Iterator[int]:
    text = f"{principal}\0{key}".encode(errors="surrogatepass")
    digest = blake2b(text, digest_size=4 * PROBES).digest()
    for start in range(0, 4 * PROBES, 4):
        yield int.from_bytes(digest[start : start + 4]) % BITS
