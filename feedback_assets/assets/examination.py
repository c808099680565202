"""A candidate examined beside the champion: which rows, and the suite that is made of them."""

import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from feedback_assets.assets.budget import budget
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.schema import Config
from feedback_assets.evaluation.suite import Versions, examine, suite_digest, suite_text
from feedback_assets.labels.pool import holdout_sql, training_sql
from feedback_assets.reports.evaluation_page import evaluation_page
from feedback_assets.serving.manifest import write_atomically
from feedback_assets.training.fit import train
from feedback_assets.training.onnx_model import OnnxModel
from feedback_assets.training.sample_weights import weights_of

Tell = Callable[[str], None]
Suite = dict[str, Any]


def silent(_: str) -> None:
    """Tell nobody."""


def fresh_rows(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    candidate: ModelVersion,
    before: ModelVersion | None,
    days: Collection[str] | None = None,
) -> pd.DataFrame:
    """Held-out rows of the candidate's own pool version, newer than either training.

    Args:
        space: The loop.
        con: A connection.
        candidate: Who is examined.
        before: The champion; None before the first.
        days: Only these partitions; if absent, all that have not judged too many candidates yet.
    """
    pool = space.table("labeled_pool").snapshot(candidate.manifest["pool"]["version"])
    rows = con.execute(holdout_sql(pool.relation())).df()
    newest = max(m.train_end for m in (candidate, before) if m is not None)
    if days is None:
        wanted = ~rows["partition_key"].isin(budget(space, candidate.version).spent)
    else:
        wanted = rows["partition_key"].isin(list(days))
    return rows[wanted & (rows["event_time"] > newest)].reset_index(drop=True)


def suite_path(candidate: ModelVersion, before: ModelVersion | None) -> Path:
    """Where the suite of a pair is kept, in the candidate's folder."""
    return candidate.folder / f"evaluation-against-{before.version if before else 'none'}.json"


def page_path(space: LoopSpace, candidate: ModelVersion, before: ModelVersion | None) -> Path:
    """Where its page is."""
    name = f"version-{candidate.version}-against-{before.version if before else 'none'}.html"
    return space.reports / "evaluations" / name


def suite_of(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    candidate: ModelVersion,
    before: ModelVersion | None,
    tell: Tell = silent,
) -> Suite:
    """The suite of a pair and its page; what was found once stands.

    Raises:
        GateError: The two are one model.
    """
    path = suite_path(candidate, before)
    if path.exists():
        stored: Suite = json.loads(path.read_text("utf-8"))
        return stored
    rows = fresh_rows(space, con, candidate, before)
    suite = examined(space, con, candidate, before, rows, space.config, tell)
    write_atomically(path, suite_text(suite).encode())
    page = evaluation_page(suite, space.config)
    write_atomically(page_path(space, candidate, before), page.encode())
    return suite


def examined(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    candidate: ModelVersion,
    before: ModelVersion | None,
    rows: pd.DataFrame,
    config: Config,
    tell: Tell,
) -> Suite:
    """Examine both on the same rows."""

    def retrain(kept: Sequence[str]) -> OnnxModel:
        return trained_on(space, con, candidate, config, kept)

    return examine(
        config,
        rows,
        before.load() if before else None,
        candidate.load(),
        versions=Versions(str(candidate.version), str(before.version) if before else None),
        as_of=candidate.as_of,
        retrain=retrain,
        tell=tell,
    )


def trained_on(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    candidate: ModelVersion,
    config: Config,
    kept: Sequence[str],
) -> OnnxModel:
    """A model trained as the candidate was, from some of its features."""
    narrower = config.model_copy(
        update={"model": config.model.model_copy(update={"features": list(kept)})}
    )
    pool = space.table("labeled_pool").snapshot(candidate.manifest["pool"]["version"])
    rows = con.execute(training_sql(config, pool.relation())).df()
    return train(rows, rows["label"], narrower, weights_of(rows)).model


def evaluation_facts(candidate: ModelVersion, suite: Suite) -> dict[str, Any]:
    """Which rows judged, as a decision names them."""
    pool = candidate.manifest["pool"]
    return {
        "digest": suite["evaluation_digest"],
        "rows": suite["rows"],
        "days": suite["days"],
        "pool": {name: pool.get(name) for name in ("table", "version", "fingerprint")},
        "as_of": candidate.manifest["as_of"],
    }


def suite_facts(
    space: LoopSpace, candidate: ModelVersion, before: ModelVersion | None, suite: Suite
) -> dict[str, str]:
    """Where the suite is, and its digest."""
    path = suite_path(candidate, before).relative_to(space.settings.root)
    return {"file": path.as_posix(), "digest": suite_digest(suite)}
