"""A shop whose rows people are asked about: questions in its store, reviewers with tokens."""

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

import yaml

from feedback_assets.config.load import load_loop
from feedback_assets.door.tokens import TokenFile
from feedback_assets.review.records import Task
from feedback_assets.review.store import ReviewStore, store_path
from feedback_assets_tests.serving.shop import LOOP, Kind, Shop

REASON = "The model is unsure: 51% and 49%."


class ReviewedShop:
    """A shop without a model; `store` is what the door reads."""

    def __init__(self, folder: Path, kind: Kind = "binary", **review: Any) -> None:
        self.shop = Shop(folder / "home", kind)
        file = self.shop.settings.configs / "loops" / f"{LOOP}.yaml"
        mix = {"mix": {"random": 1.0}} if kind == "regression" else {}
        section = {"review": {"per_day": 50, **mix, **review}}
        said = yaml.safe_load(file.read_text("utf-8")) | section
        file.write_text(yaml.safe_dump(said, allow_unicode=True), "utf-8")
        self.shop.config = load_loop(file, {})
        self.store = ReviewStore(store_path(self.shop.settings.root, LOOP))
        self.kind = kind

    def ask(self, count: int, now: dt.datetime, **changes: Any) -> list[Task]:
        """Put questions 0 to count - 1; the smaller ones come first."""
        found = [dataclasses.replace(self.task(i, now), **changes) for i in range(count)]
        self.store.put(found)
        return found

    def task(self, number: int, now: dt.datetime) -> Task:
        """Question `t<number>` about row `p<number>`."""
        prediction = {"multiclass": "look", "regression": "12.5"}.get(self.kind, "1")
        shares = {"0": 0.49, "1": 0.51}
        if self.kind == "multiclass":
            shares = {"buy": 0.3, "look": 0.5, "return": 0.2}
        by_class = {} if self.kind == "regression" else {"by_class": shares}
        return Task(
            task_id=f"t{number}",
            prediction_id=f"p{number}",
            batch="b1",
            asked_at=now,
            until=now + dt.timedelta(days=20),
            strategy="entropy",
            reason=REASON,
            probability=0.125,
            priority=1 / (1 + number),
            answers=1,
            row=self.shop.row(number) | {"region": "north"},
            opinion={"prediction": prediction, "score": 0.51, "model_version": "7", **by_class},
            event_time=now - dt.timedelta(hours=1),
        )

    def token(self, name: str, *scopes: Any) -> str:
        """A token of somebody."""
        return TokenFile(self.shop.settings).create(name, scopes or ["review"], [LOOP], 1)

    def said(self) -> dict[str, tuple[str, str | None]]:
        """Prediction id to who said what; fails when one was told twice."""
        stored = list(self.store.answers())
        found = {one.prediction_id: (one.answer.annotator, one.answer.value) for one in stored}
        assert len(found) == len(stored)
        return found
