"""Clients that ask without a pause, over connections that are kept alive."""

import json
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

from feedback_assets_tests.door.proof.live import Door
from feedback_assets_tests.serving.shop import LOOP


@dataclass
class Load:
    """Clients in threads; `answers` and `failures` grow while they run."""

    door: Door
    clients: int = 4
    pause: float = 0.0
    answers: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    reconnects: int = 0

    def __enter__(self) -> "Load":
        self._name = uuid.uuid4().hex[:12]
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(n,), daemon=True) for n in range(self.clients)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self, client: int) -> None:
        count = 0
        with self.door.wire() as wire:
            while not self._ended.is_set():
                count += 1
                row = self.door.row(count) | {"prediction_id": f"{self._name}-{client}-{count}"}
                head = {"content-type": "application/json"}
                reply = wire.send("POST", f"/v1/{LOOP}/predict", json.dumps(row).encode(), head)
                if reply.status == 200:
                    self.answers.append(reply.json)
                else:
                    self.failures.append(f"{reply.status} {reply.body[:200]!r}")
                self._ended.wait(self.pause)
            self.reconnects += wire.opened - 1
