"""A replay over a loop's own labelled history, its page, and its picture for metadata.

A replay trains hundreds of models: it runs when somebody asks for it, and assets show the last one.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd

from feedback_assets.assets.space import LoopSpace
from feedback_assets.errors import TrainingError
from feedback_assets.labels.judges import may_judge_sql
from feedback_assets.labels.older import SAID, with_columns
from feedback_assets.querying.advice import Advice, advice, budgets_up_to, ways_of
from feedback_assets.querying.history import History
from feedback_assets.querying.replay import Plan, Progress, replay
from feedback_assets.reports.advice_page import advice_page, advice_picture
from feedback_assets.reports.files import replace_text
from feedback_assets.reports.plots import markdown_image
from feedback_assets.sqltext import idents

MOST_ROWS = 20_000
"""Labelled rows that are replayed; of more so many are drawn by a hash of the id."""
FEWEST_ROWS = 200
FEWEST_DAYS = 10
"""With fewer days rows judge one by one: days would be too few to divide."""
MOST_LABELS = 3_000
FIRST = 200
"""Labels drawn evenly before any model can ask; a fifteenth of the budget if that is less."""
JUDGE_SHARE = 0.3


def advise(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    budget: int | None = None,
    seeds: int = 5,
    begun: Callable[[int], None] | None = None,
    progress: Progress | None = None,
) -> Advice:
    """Replay every way of asking over the loop's labelled rows, and keep what that teaches.

    Only labels that may judge are replayed: rows that a strategy chose are no fair sample.

    Args:
        space: The loop.
        con: A connection.
        budget: Labels at most; 3,000 if absent, or half of the rows that can be asked.
        seeds: Replays of each way.
        begun: Told how many replays there will be.
        progress: Told the name of a way after each replay.

    Raises:
        TrainingError: Too few labelled rows, or a budget they do not allow.
    """
    config = space.config
    rows = labelled_rows(space, con)
    if len(rows) < FEWEST_ROWS:
        raise TrainingError(
            f"{config.name} has {len(rows)} labelled rows: a replay needs at least {FEWEST_ROWS}"
        )
    days = rows["partition_key"]
    group = days if days.nunique() >= FEWEST_DAYS else rows["prediction_id"]
    history = History.of(config, rows, rows["label"], group)
    most = _most(len(rows), budget)
    ways = ways_of(config)
    if begun is not None:
        begun(seeds * (len(ways) + 1))
    plan = Plan(budgets_up_to(most, max(20, min(FIRST, most // 15))), seeds, JUDGE_SHARE)
    found = advice(config, replay(history, ways, plan, progress), len(rows))
    _keep(space, found)
    return found


def labelled_rows(space: LoopSpace, con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Rows with a label that may judge, of at most 20,000 predictions, in the order of their ids."""
    source, config = space.table("feedback_table").snapshot(), space.config
    if source.version < 0:
        return pd.DataFrame({"prediction_id": [], "partition_key": [], "label": []})
    names = ["prediction_id", "partition_key", "label"]
    names += [*config.features, *config.columns.segments, *config.review.by]
    relation = with_columns(source.relation(), source.columns(), SAID)
    return con.execute(
        f"""SELECT * FROM (
              SELECT {idents(list(dict.fromkeys(names)))} FROM {relation} AS rows
              WHERE label_status = 'accepted' AND label IS NOT NULL AND {may_judge_sql(config)}
              ORDER BY MD5(prediction_id) LIMIT {MOST_ROWS}
            ) AS drawn ORDER BY prediction_id"""
    ).df()


def advice_metadata(space: LoopSpace) -> dict[str, dg.MetadataValue[Any]]:
    """The last replay's picture, words and page; empty where nobody asked for one."""
    folder = _folder(space)
    kept, picture = folder / "advice.json", folder / "advice.png"
    if not (kept.exists() and picture.exists()):
        return {}
    said = json.loads(kept.read_text("utf-8"))
    return {
        "advice": dg.MetadataValue.text(said["words"]),
        "learning_curves": dg.MetadataValue.md(markdown_image(picture.read_bytes(), said["words"])),
        "advice_page": dg.MetadataValue.url(space.report_url(folder / "advice.html")),
    }


def _most(rows: int, budget: int | None) -> int:
    askable = int(rows * (1 - JUDGE_SHARE) * 0.9)
    if budget is None:
        return min(MOST_LABELS, askable // 2)
    if not 60 <= budget <= askable:
        raise TrainingError(
            f"--budget {budget}: {rows:,} labelled rows allow 60 to {askable:,} labels, as "
            f"{JUDGE_SHARE:.0%} of the days judge"
        )
    return budget


def _keep(space: LoopSpace, found: Advice) -> None:
    folder, picture = _folder(space), advice_picture(found)
    replace_text(folder / "advice.html", advice_page(found, picture))
    (folder / "advice.png").write_bytes(picture)
    replace_text(folder / "advice.json", json.dumps(found.to_dict(), indent=1, allow_nan=False))


def _folder(space: LoopSpace) -> Path:
    return space.reports / "labels"
