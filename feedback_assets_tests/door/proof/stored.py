"""What the inbox of a running service holds, read as the tables read it."""

import json
from collections.abc import Iterator
from typing import Any

from feedback_assets.capture.inbox.open import open_reader
from feedback_assets.capture.inbox.records import Stream
from feedback_assets.settings import Settings
from feedback_assets_tests.serving.shop import LOOP

EVER = 2**62


def stored(settings: Settings, stream: Stream, after: int = 0) -> list[dict[str, Any]]:
    """Return the bodies of a stream in their order, each with its `seq` and `key`."""
    reader = open_reader(settings)
    assert reader is not None
    try:
        batches = reader.batches(stream, LOOP, -EVER, EVER, reader.head())
        return [body for body in _bodies(batches) if body["seq"] > after]
    finally:
        reader.close()


def newest(settings: Settings) -> int:
    """Return the newest sequence number."""
    reader = open_reader(settings)
    assert reader is not None
    try:
        return reader.head()
    finally:
        reader.close()


def _bodies(batches: Any) -> Iterator[dict[str, Any]]:
    for batch in batches:
        for row in batch.to_pylist():
            yield json.loads(row["body"]) | {"seq": row["seq"], "key": row["key"]}
