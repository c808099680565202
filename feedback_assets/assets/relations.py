"""Has the relation of rows and labels changed, and are the rows as a whole told from others?"""

from collections.abc import Sequence

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.assets.answers import answers, known_until
from feedback_assets.assets.companions import loss_and_expected, with_error
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.causes.findings import Finding
from feedback_assets.config.grain import partition_end, partition_range
from feedback_assets.config.judgement import Drift
from feedback_assets.drift.bins import Kind
from feedback_assets.drift.concept import ConceptReference, concept_counts, concept_verdicts
from feedback_assets.drift.domain import domain_verdict, usual_auc
from feedback_assets.sqltext import literal
from feedback_assets.tables.table import Snapshot

DOMAIN_ROWS = 2_000


def concept_findings(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    serving: ModelVersion,
    keys: Sequence[str],
) -> dict[str, list[Finding]]:
    """Concept drift by the newest mature day up to each of `keys`, where there is any.

    The loss of the serving version's answers is held against what their calibrated scores expect.
    A day enters once, when all its labels have had the time to come: early ones are not like late.
    """
    config, reference = space.config, serving.concept()
    now, grain = known_until(con, source), config.partitions.grain
    ripe = [
        key for key, info in source.partitions().items()
        if key <= max(keys) and info.rows and partition_end(grain, key) + space.horizon <= now
    ]  # fmt: skip
    windows = {
        key: [day for day in ripe if day <= key][-config.performance.window_days :] for key in keys
    }
    wanted = sorted({day for window in windows.values() for day in window})
    rows = answers(space, con, source, wanted) if reference and wanted else pd.DataFrame()
    if reference is None or rows.empty:
        return {}
    own = rows["model_version"] == str(serving.version)
    rows = with_error(serving.error_model(), rows[own & (rows["label_status"] == "accepted")])
    if rows.empty:
        return {}
    days = partition_range(grain, str(rows["partition_key"].min()), wanted[-1])
    place = {day: position for position, day in enumerate(days)}
    loss, expected = loss_and_expected(config, serving.estimator(config), rows)
    numbers = rows["partition_key"].map(place).to_numpy(np.int64)
    counts = concept_counts(reference, loss, expected, numbers, len(days))
    found = {}
    for key, window in windows.items():
        known = [place[day] for day in window if day in place]
        if known:
            span = slice(known[0], known[-1] + 1)
            found[key] = _concept(key, reference, counts[span], days[span], config.drift)
    return found


def _concept(
    key: str,
    reference: ConceptReference,
    counts: npt.NDArray[np.int64],
    days: Sequence[str],
    drift: Drift,
) -> list[Finding]:
    first = concept_verdicts(reference, counts, days, drift, opinions=False)[days[-1]]
    if first.status != "drift":
        return []
    found = concept_verdicts(reference, counts, days, drift)[days[-1]]
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
