"""Has the relation of rows and labels changed, and are the rows as a whole told from others?"""

import duckdb
import numpy as np
import pandas as pd

from feedback_assets.assets.answers import answers, known_until
from feedback_assets.assets.companions import loss_and_expected, with_error
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.causes.findings import Finding
from feedback_assets.config.grain import partition_end, partition_range
from feedback_assets.drift.bins import Kind
from feedback_assets.drift.concept import concept_counts, concept_verdicts
from feedback_assets.drift.domain import domain_verdict, usual_auc
from feedback_assets.sqltext import literal
from feedback_assets.tables.table import Snapshot

DOMAIN_ROWS = 2_000


def concept_findings(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    serving: ModelVersion,
    key: str,
) -> list[Finding]:
    """Concept drift by the newest day whose labels have all had the time to come, if there is any.

    The loss of the serving version's answers is held against what their calibrated scores expect.
    A day enters once, when it is mature: early labels are not like late ones.
    """
    config, reference = space.config, serving.concept()
    now = known_until(con, source)
    grain, known = config.partitions.grain, source.partitions()
    ripe = [
        day for day in known
        if day <= key and known[day].rows and partition_end(grain, day) + space.horizon <= now
    ][-config.performance.window_days :]  # fmt: skip
    if reference is None or not ripe:
        return []
    rows = answers(space, con, source, ripe)
    rows = rows[
        (rows["model_version"] == str(serving.version)) & (rows["label_status"] == "accepted")
    ]
    if rows.empty:
        return []
    rows = with_error(serving.error_model(), rows)
    days = partition_range(grain, str(rows["partition_key"].min()), ripe[-1])
    place = pd.Series(range(len(days)), index=days)
    loss, expected = loss_and_expected(config, serving.estimator(config), rows)
    counts = concept_counts(
        reference, loss, expected, place[rows["partition_key"]].to_numpy(np.int64), len(days)
    )
    found = concept_verdicts(reference, counts, days, config.drift)[days[-1]]
    if found.status != "drift":
        return []
    text = "; ".join([found.reason, *(str(opinion) for opinion in found.opinions)])
    return [Finding(key, "concept", "*", text, found.excess, found.low, found.high, found.evidence)]


def domain_findings(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    serving: ModelVersion,
    key: str,
) -> list[Finding]:
    """Whether a classifier tells the day's rows from the training data's, and by which columns."""
    columns = space.config.columns
    kinds: dict[str, Kind] = {name: columns.kind_of(name) for name in columns.features}
    sample = serving.reference_sample()
    seed = literal(f"{space.config.model.seed}:")
    day = con.execute(
        f"""SELECT * FROM {source.relation([key])} WHERE role <> 'shadow'
            ORDER BY MD5({seed} || prediction_id) LIMIT {DOMAIN_ROWS}"""
    ).df()
    usual = usual_auc(sample, sample["partition_key"], kinds, space.config.drift)
    found = domain_verdict(sample, day, kinds, space.config.drift, usual, space.config.model.seed)
    if found.status != "drift":
        return []
    names = ", ".join(name for name, _ in found.columns)
    return [
        Finding(
            key, "domain", names, found.reason, found.auc, found.low, found.high, found.evidence
        )
    ]
