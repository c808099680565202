"""Answers remembered for rows with the same features, the least recently used forgotten first."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from feedback_assets.serving.answer import Row
from feedback_assets.serving.scorer import Scored


class Remembered(NamedTuple):
    """An answer and who made it."""

    said: Scored
    version: str
    digest: str


class AnswerCache:
    """At most so many answers; thread-safe."""

    def __init__(self, features: Sequence[str], rows: int) -> None:
        self._features = tuple(features)
        self._rows = rows
        self._kept: OrderedDict[bytes, Remembered] = OrderedDict()
        self._lock = threading.Lock()
        self._encode = msgspec.msgpack.Encoder().encode

    def put(self, row: Row, said: Remembered) -> None:
        """Remember an answer."""
        key = self._key(row)
        with self._lock:
            self._kept[key] = said
            self._kept.move_to_end(key)
            if len(self._kept) > self._rows:
                self._kept.popitem(last=False)

    def get(self, row: Row) -> Remembered | None:
        """The newest answer to a row with the same features."""
        key = self._key(row)
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def __len__(self) -> int:
        return len(self._kept)

    def _key(self, row: Row) -> bytes:
        values = [row.get(name) for name in self._features]
        try:
            content = self._encode(values)
        except (OverflowError, UnicodeError):  # integers beyond 64 bits, half a surrogate pair
            content = repr(values).encode("ascii", "backslashreplace")
        return hashlib.blake2b(content, digest_size=16).digest()
