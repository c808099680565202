"""A loop with questions, and errands to a simulated Label Studio that wait for nothing."""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from feedback_assets.config.schema import Config
from feedback_assets.review.labelstudio.client import Client
from feedback_assets.review.labelstudio.sync import Synced, sync
from feedback_assets.review.records import Task
from feedback_assets.review.store import ReviewStore
from feedback_assets.settings import Settings
from feedback_assets_tests.review.labelstudio.simulated import PERSONAL, Studio
from feedback_assets_tests.review.questions import NOW, task

LATER = NOW + dt.timedelta(minutes=30)


def loop(url: str = "http://127.0.0.1:1", label: Any = None, **review: Any) -> Config:
    """A loop whose questions go to Label Studio at `url`."""
    studio = {"url": url, "batch": 4} | review.pop("label_studio", {})
    return Config.model_validate(
        {
            "name": "tiny",
            "title": "Is the flight late?",
            "owners": ["team:one"],
            "kpi": {"name": "calls", "description": "fewer of them"},
            "columns": {"numeric": ["size"], "categorical": ["colour"]},
            "label": label or {"kind": "binary", "positive": "late"},
            "partitions": {"start": "2024-01-01"},
            "review": {"per_day": 10, "mix": {"random": 1}, "label_studio": studio, **review},
        }
    )


@dataclass
class Errands:
    """Runs errands and remembers what was told and how long was waited."""

    studio: Studio
    store: ReviewStore
    home: Path
    told: list[str] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)

    def put(self, count: int, **changes: Any) -> list[Task]:
        """Put questions t0, t1, ... into the store."""
        tasks = [task(n, **changes) for n in range(count)]
        self.store.put(tasks)
        return tasks

    clients: dict[str, Client] = field(default_factory=dict)

    def client(self, token: str = PERSONAL) -> Client:
        """A client that only notes how long it would have waited; made once, which costs most."""
        if token not in self.clients:
            self.clients[token] = Client(self.studio.url, token, 5, self.waited.append)
        return self.clients[token]

    def close(self) -> None:
        for one in self.clients.values():
            one.close()

    def sync(self, now: dt.datetime = LATER, token: str = PERSONAL, **review: Any) -> Synced:
        """One errand from beginning to end."""
        config, settings = loop(self.studio.url, **review), Settings(home=self.home)
        return sync(config, settings, self.store, now, self.told.append, self.client(token))

    def answers(self) -> list[tuple[str, str, str, str | None]]:
        """Everything said so far: question, person, label or skip, value."""
        return [
            (s.answer.task_id, s.answer.annotator, s.answer.said, s.answer.value)
            for s in self.store.answers()
        ]
