"""Which predictions of a day deserve a second look, each for a reason."""

from collections.abc import Iterator

import dagster as dg
import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.assets.contract import refuse_missing
from feedback_assets.assets.materialize import Metadata, partitioned_result
from feedback_assets.assets.models import ModelVersion, champion
from feedback_assets.assets.regions import drifted_regions
from feedback_assets.assets.space import LoopSpace, follows
from feedback_assets.assets.typed import cast_sql
from feedback_assets.causes.matching import rows_in
from feedback_assets.config.grain import partition_end
from feedback_assets.config.schema import Config
from feedback_assets.labels.flags import OF_ROW, WORDS, sure
from feedback_assets.sqltext import idents, literal
from feedback_assets.tables.connection import connect, registered
from feedback_assets.tables.table import Snapshot

DESCRIPTION = """Predictions of {title} that deserve a second look, a row for each reason.

{reasons}

What the row itself tells is also in the feedback table's column `flags`. `review_queue` shows a
question's flags to the person who answers it."""
FLAG_COLUMNS = {
    "partition_key": "VARCHAR", "prediction_id": "VARCHAR", "reason": "VARCHAR",
    "detail": "VARCHAR", "strength": "DOUBLE",
}  # fmt: skip
INPUTS = ("feedback_table", "drift_report", "findings")
SLICE_DAYS = 7
"""A weak slice is looked for every week, and flags rows until the next look."""
HELD_SHARE = 0.95
"""Regression: an error larger than of this share of the held-out rows, where the file has no size."""


def flags(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, flags]`, partitioned by prediction time."""
    reasons = "\n".join(f"- `{code}`: {words}" for code, words in WORDS.items())

    @dg.asset(
        deps=[space.key(name) for name in INPUTS],
        partitions_def=space.partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(space.config.partitions.chunk),
        automation_condition=follows(),
        **space.attributes(
            "flags",
            DESCRIPTION.format(title=space.config.title, reasons=reasons),
            {"deltalake", "duckdb"},
        ),
    )
    def _flags(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        keys = list(context.partition_keys)
        inputs = {name: space.table(name).snapshot() for name in INPUTS}
        refuse_missing(space, "findings", keys, inputs["findings"])
        with connect(space.settings) as con:
            found = pd.concat([flagged(space, con, inputs, key) for key in keys])
            with registered(con, "fa_flags", found):
                snapshot = space.table("flags").replace(
                    con,
                    cast_sql("fa_flags", FLAG_COLUMNS),
                    keys,
                    space.cause(context, {name: taken.version for name, taken in inputs.items()}),
                )
            return partitioned_result(context, space, snapshot, con, by_reason(found))

    return _flags


def flagged(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, inputs: dict[str, Snapshot], key: str
) -> pd.DataFrame:
    """The flags of one day, columns as `FLAG_COLUMNS`."""
    rows = rows_of(space, con, inputs["feedback_table"], key)
    model = champion(space)
    parts = [
        *of_rows(space.config, rows, model),
        *of_model(space.config, rows, model),
        *of_verdicts(space, con, inputs, rows, model, key),
    ]
    # A row may lie in two drifted regions or weak slices: the first one's words stay.
    found = pd.concat(parts).drop_duplicates(["prediction_id", "reason"])
    return found.reindex(columns=list(FLAG_COLUMNS)).assign(partition_key=key)


def rows_of(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, source: Snapshot, key: str
) -> pd.DataFrame:
    """A day's predictions (shadows left out) in the order of their ids; `sure` is the answer's share."""
    config = space.config
    names = ["partition_key", "prediction_id", "score", "prediction", "label", "rating", "flags"]
    names += ["labels_seen", *config.columns.features, *config.columns.carried]
    kept = [name for name in dict.fromkeys(names) if name in source.columns()]
    share = sure(config) or "CAST(NULL AS DOUBLE)"
    return con.execute(
        f"""SELECT {idents(kept)}, {share} AS sure FROM {source.relation([key], [*kept, "role"])}
            WHERE role <> 'shadow' AND partition_key = {literal(key)} ORDER BY prediction_id"""
    ).df()


def of_rows(
    config: Config, rows: pd.DataFrame, model: ModelVersion | None
) -> Iterator[pd.DataFrame]:
    """What each row itself tells: the feedback table's own column, and large errors."""
    own = rows["flags"].astype("string") if "flags" in rows else pd.Series(pd.NA, rows.index)
    said = ("," + own.fillna("") + ",").astype("string")
    answer, truth = rows["prediction"].astype("string"), rows["label"].astype("string")
    told = {
        "low_confidence": ("the answer " + answer + " has " + percent(rows["sure"]), rows["sure"]),
        "error": ("answered " + answer + ", the truth is " + truth, None),
        "disputed": ("labels: " + rows["labels_seen"].astype("string"), None),
        "correction": ("corrected to " + truth, None),
        "rating": ("rated " + rows["rating"].astype("string"), rows["rating"]),
        "rejection": ("somebody rejected the answer", None),
    }
    for code in OF_ROW:
        mask = said.str.contains(f",{code},", regex=False).to_numpy(np.bool_)
        detail, strength = told[code]
        yield listed(rows, mask, code, pd.Series(detail, rows.index), strength)
    if config.label.kind == "regression" and config.flags.error is None and model is not None:
        yield large_errors(rows, model)


def large_errors(rows: pd.DataFrame, model: ModelVersion) -> pd.DataFrame:
    """Answers that were wrong by more than nearly all of the model's held-out rows."""
    held = model.held_sample()
    error = (rows["label"] - rows["score"]).abs().to_numpy(np.float64, na_value=np.nan)
    if not {"label", "score"} <= set(held.columns) or held.empty:
        return pd.DataFrame()
    limit = float((held["label"] - held["score"]).abs().quantile(HELD_SHARE))
    words = "wrong by " + short(pd.Series(error, rows.index))
    return listed(rows, error > limit, "error", words + f", usually at most {limit:.4g}", error)


def of_model(
    config: Config, rows: pd.DataFrame, model: ModelVersion | None
) -> Iterator[pd.DataFrame]:
    """What the champion's training data tells: rows unlike it, scores that none of it had."""
    if model is None or rows.empty:
        return
    novelty = model.novelty()
    if novelty is not None:
        far = novelty.score(rows)
        words = "farther from the training data than " + percent(pd.Series(far, rows.index))
        yield listed(rows, far > config.flags.novelty, "novel_input", words + " of itself", far)
    known = model.reference_sample()["score"].dropna()
    if len(known):
        low, high = known.quantile([config.flags.output_share, 1 - config.flags.output_share])
        score = rows["score"].to_numpy(np.float64, na_value=np.nan)
        words = "score " + short(rows["score"]) + f", usually {low:.4g} to {high:.4g}"
        yield listed(rows, (score < low) | (score > high), "anomalous_output", words, score)


def of_verdicts(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    inputs: dict[str, Snapshot],
    rows: pd.DataFrame,
    model: ModelVersion | None,
    key: str,
) -> Iterator[pd.DataFrame]:
    """What the day's verdicts tell: where columns have drifted to, where the model does badly."""
    for region in drifted_regions(con, inputs["drift_report"], model, rows):
        words = pd.Series(region.words, rows.index)
        yield listed(rows, region.rows, "drifted_region", words)
    columns = [*space.config.columns.features, *space.config.columns.carried]
    for subject, text, effect in weak_slices(space, con, inputs["findings"], key):
        mask = rows_in(subject, rows, columns)
        if mask is not None and effect >= space.config.flags.weak_slice:
            words = pd.Series(text, rows.index)
            yield listed(rows, mask, "weak_slice", words, np.full(len(rows), effect))


def weak_slices(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, findings: Snapshot, key: str
) -> list[tuple[str, str, float]]:
    """Subject, words and effect of the weak slices of the newest look of the week up to a day."""
    end = partition_end(space.config.partitions.grain, key)
    recent = [
        day
        for day, info in findings.partitions().items()
        if info.rows
        and 0 <= (end - partition_end(space.config.partitions.grain, day)).days < SLICE_DAYS
    ]
    if not recent:
        return []
    found = con.execute(
        f"""SELECT partition_key, subject, text, value FROM {findings.relation(recent)}
            WHERE kind = 'weak_slice' ORDER BY partition_key DESC, subject"""
    ).fetchall()
    return [(subject, text, value) for day, subject, text, value in found if day == found[0][0]]


def listed(
    rows: pd.DataFrame,
    mask: npt.NDArray[np.bool_],
    reason: str,
    detail: pd.Series,
    strength: npt.NDArray[np.float64] | pd.Series | None = None,
) -> pd.DataFrame:
    """The marked rows as flags."""
    found = pd.DataFrame({"prediction_id": rows.loc[mask, "prediction_id"]})
    found["reason"] = reason
    found["detail"] = detail[mask].astype("string")
    values = np.nan if strength is None else pd.Series(np.asarray(strength), rows.index)[mask]
    return found.assign(strength=values)


def percent(share: pd.Series) -> pd.Series:
    """Shares as texts, as in 55.0%."""
    return (share * 100).map("{:.1f}%".format).astype("string")


def short(values: pd.Series) -> pd.Series:
    """Numbers as texts of four digits."""
    return values.map("{:.4g}".format).astype("string")


def by_reason(found: pd.DataFrame) -> dict[str, Metadata]:
    """Per day: flagged predictions, and how many for each reason."""
    told: dict[str, Metadata] = {}
    for key, day in found.groupby("partition_key"):
        counts = day["reason"].value_counts()
        told[str(key)] = {
            "flagged": int(day["prediction_id"].nunique()),
            "reasons": dg.MetadataValue.table(
                [
                    dg.TableRecord({"reason": str(code), "means": WORDS[str(code)], "rows": int(n)})
                    for code, n in counts.items()
                ]
            ),
        }
    return told
