"""A labelled history played to the real service over HTTP: the other way to the same tables."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import pandas as pd

from feedback_assets.capture.files import SourceFile
from feedback_assets.client import Client, DoorProblem
from feedback_assets.clock import Clock
from feedback_assets.config.schema import Config
from feedback_assets.errors import DoorError
from feedback_assets.serving.manifest import read_manifest
from feedback_assets.settings import Settings
from feedback_assets.simulation.local_door import LocalDoor
from feedback_assets.simulation.payload import (
    Item,
    events_of,
    landed_of,
    micros_of,
    refused_items,
    rows_of,
    scores_of,
)
from feedback_assets.training.onnx_model import OnnxModel, Scores

T = TypeVar("T")
SWAP_SECONDS = 60.0
"""How long the service may take to serve what was published."""


class HttpDelivery:
    """Asks the service for predictions and gives it feedback, at the times the history states.

    What lies before the first model has nobody to answer it: it comes in as an imported log.
    The service starts with the first request and ends with `close`.

    Args:
        config: The loop.
        settings: Its home.
        clock: Of the replay; the service's time is this, or the newest it was told if later: a
            step is played before the clock moves to its end.
    """

    def __init__(self, config: Config, settings: Settings, clock: Clock) -> None:
        self.config, self.settings = config, settings
        self._clock, self._newest = clock, 0
        self._door: LocalDoor | None = None

    def predictions(self, name: str, frame: pd.DataFrame, extra: dict[str, Any]) -> None:
        """Land rows that no model answered; of others (`extra`) the service has kept the answers."""
        if extra or frame.empty:
            return
        from feedback_assets.capture.importers.landing import land_new

        self._reach(frame["_event_time"])
        with tempfile.TemporaryDirectory(prefix="history-") as folder:
            path = Path(folder) / f"{name}.parquet"
            landed_of(self.config, frame).to_parquet(path, index=False, coerce_timestamps="us")
            stat = path.stat()
            file = SourceFile(path.name, path, stat.st_size, stat.st_mtime_ns, "parquet")
            land_new(self.config, self.settings, "predictions", [file], "generic", now=self.now)

    def answer(self, rows: pd.DataFrame) -> Scores:
        """What the published champion says; it answers and logs the rows before this returns.

        Rows that the service refuses are scored here, as a replay from files does: both count the
        same rows.

        Raises:
            DoorError: The service does not serve what was published.
        """
        self._reach(rows["_event_time"])
        client = self._ready_client()
        self._await_published(client)
        answers = self._played(client.predict, rows_of(self.config, rows))
        taken = [answer for answer in answers if answer is not None]
        said = scores_of(self.config, taken)
        if len(taken) == len(rows):
            return said
        every = self._scored_here(rows)
        where = np.array([answer is not None for answer in answers])
        every.score[where], every.prediction[where] = said.score, said.prediction
        if every.class_scores is not None:
            every.class_scores[where] = said.class_scores
        return every

    def feedback(
        self,
        name: str,  # noqa: ARG002 - the other delivery names its file by it
        frame: pd.DataFrame,
        rng: np.random.Generator | None,
    ) -> None:
        """Give feedback, in the order of arrival or in a random one."""
        if frame.empty:
            return
        self._reach(frame["_label_time"])
        kept = frame if rng is None else frame.iloc[rng.permutation(len(frame))]
        self._played(self._ready_client().feedback_many, events_of(self.config, kept))

    def now(self) -> int:
        """The service's time: microseconds since 1970."""
        return max(int(self._clock.now().timestamp() * 1e6), self._newest)

    def close(self) -> None:
        """End the service; what it has taken stays in the inbox."""
        if self._door is not None:
            self._door.close()
            self._door = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _ready_client(self) -> Client:
        self._door = self._door or LocalDoor(self.config, self.settings, self.now)
        return self._door.client

    def _reach(self, times: pd.Series) -> None:
        self._newest = max([self._newest, *micros_of(times)[-1:].tolist()])

    def _await_published(self, client: Client) -> None:
        wanted = read_manifest(self.settings, self.config.name).generation
        until = time.monotonic() + SWAP_SECONDS
        while (said := client.model())["generation"] < wanted:
            if time.monotonic() > until:
                raise DoorError(
                    f"the service serves generation {said['generation']} of {self.config.name}, "
                    f"not {wanted}: {said.get('problem') or 'it gives no reason'}"
                )
            time.sleep(0.02)

    def _played(self, send: Callable[[list[Item]], list[T]], items: list[Item]) -> list[T | None]:
        """Send everything; None in the place of what the service refuses."""
        done: list[T | None] = [None] * len(items)
        size = self.config.serve.limits.max_rows
        for at in range(0, len(items), size):
            left = list(range(at, min(at + size, len(items))))
            while left:
                try:
                    answers = send([items[place] for place in left])
                except DoorProblem as problem:
                    refused = refused_items(problem)
                    kept = [place for n, place in enumerate(left) if n not in refused]
                    if len(kept) == len(left):
                        raise
                    left = kept
                    continue
                for place, answer in zip(left, answers, strict=True):
                    done[place] = answer
                break
        return done

    def _scored_here(self, rows: pd.DataFrame) -> Scores:
        champion = read_manifest(self.settings, self.config.name).champion
        if champion is None:
            raise DoorError(f"{self.config.name} has no published champion")
        return OnnxModel.load(self.settings.root / champion.file).score(rows)
