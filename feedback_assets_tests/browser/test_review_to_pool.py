"""A person labels by keyboard, is interrupted, goes on; the labels train the next model, traceably."""

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from feedback_assets.assets.models import versions
from feedback_assets.assets.training_rows import training_rows
from feedback_assets.audit.lineage import lineage_back
from feedback_assets.audit.touched import lineage_forward
from feedback_assets.door.tokens import TokenFile
from feedback_assets_tests.browser.reviewing import Person, desk
from feedback_assets_tests.browser.test_pages import CHROMIUM
from feedback_assets_tests.serving.shop import LOOP
from feedback_assets_tests.worlds import World

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]
QUESTIONS = 20
HISTORY = 8


def day(back: int) -> str:
    """The partition of so many days ago."""
    return f"{dt.datetime.now(dt.UTC) - dt.timedelta(days=back):%Y-%m-%d}"


def world_of_today(folder: Path) -> tuple[World, dict[str, int]]:
    """A loop with a champion, and two days of its predictions, the older one without labels; their truth."""
    world = World(
        folder,
        name=LOOP,
        partitions={"start": day(HISTORY + 4)},
        review={"per_day": QUESTIONS, "max_share": 1.0, "double_share": 0.0, "audit_share": 0.5},
        label={"max_delay_days": 3},
        pool={"mature_after_days": 0, "holdout_days": 1, "min_rows": 40},
        contract={"min_label_share": 0},
        trigger={"when": {"new_labels": 100_000}},
    )
    world.ready_mlflow()
    world.live(day(HISTORY + 4), HISTORY)
    world.at(day(2))
    world.dataflow(day(HISTORY + 4), HISTORY + 2)
    world.materialize(["labeled_pool", "candidate_model", "promoted_model"])
    asked = world.live(day(2), 1, n=120, labels=False, version="1")
    # The newest day is held out, so what people say of the day before can train.
    held = world.live(day(1), 1, version="1")
    rows = pd.concat([asked, held])
    world.clock.advance(dt.datetime.now(dt.UTC))
    assert all(run.success for run in world.ticker.settle())
    return world, dict(zip(rows["prediction_id"], rows["truth"], strict=True))


def key_of(truth: int) -> str:
    """What a person presses: yes is the first button."""
    return "1" if truth else "2"


def test_twenty_labels_reach_the_next_model(tmp_path: Path) -> None:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install playwright"
    )
    world, truth = world_of_today(tmp_path / "world")
    queue = world.frame("review_queue")
    assert len(queue) == QUESTIONS
    token = TokenFile(world.settings).create("ada", ["review"], [LOOP], 1)
    with playwright.sync_playwright() as play:
        answer_all(play, world, truth, tmp_path, token)

    world.clock.advance(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=30))
    runs = list(world.ticker.settle())
    assert all(run.success for run in runs), [run.problem for run in runs]
    world.clock.advance(dt.datetime.now(dt.UTC) + dt.timedelta(days=4))
    list(world.ticker.settle())
    world.materialize(["labeled_pool", "candidate_model"])
    in_the_next_model(world, queue, truth)


def answer_all(play: Any, world: World, truth: dict[str, int], folder: Path, token: str) -> None:
    """Twenty answers by keyboard; after seven the service dies and the browser is closed."""
    ada = Person(play, folder / "profile", token)
    with desk(SimpleNamespace(shop=world), folder) as service:
        ada.come(service.url)
        for _ in range(7):
            ada.press(key_of(truth[ada.row()]))
        waiting = ada.row()
        service.kill()
        ada.leave()
        service.start()
        ada.come(service.url)
        assert ada.row() == waiting
        while ada.page.locator("#done").is_hidden():
            ada.press(key_of(truth[ada.row()]))
        ada.leave()


def in_the_next_model(world: World, queue: pd.DataFrame, truth: dict[str, int]) -> None:
    """Each label is in the pool, and leads back to its question and forward to the model."""
    asked = [row for row in queue["prediction_id"] if row.startswith(day(2))]
    pool = world.frame("labeled_pool").set_index("prediction_id")
    assert set(asked) <= set(pool.index)
    assert pool.loc[asked, "label"].astype(int).to_dict() == {row: truth[row] for row in asked}
    assert set(pool.loc[asked, "split"]) == {"train"}
    model = versions(world.space)[-1]
    assert set(asked) <= set(training_rows(world.space, model)["prediction_id"].to_pylist())
    one = asked[0]
    back = lineage_back(world.space, one)
    (question,), (answer,) = back["people"]["review_queue"], back["people"]["annotations"]
    assert question["task_id"] == answer["task_id"]
    assert (answer["annotator"], int(answer["value"])) == ("ada", truth[one])
    assert back["label"]["label_principal"] == "person:ada"
    forward = lineage_forward(world.space, source="person:ada")
    assert forward["rows"] == QUESTIONS
    assert {m["version"]: m.get("trained") for m in forward["models"]}[str(model.version)] == len(
        asked
    )
