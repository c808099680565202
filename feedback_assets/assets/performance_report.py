"""How good the model is: realised where labels are, estimated where they are not yet."""

import math
from collections.abc import Sequence

import dagster as dg
import duckdb
import numpy as np
import pandas as pd

from feedback_assets.assets.answers import answers, arrivals, known_until, trailing
from feedback_assets.assets.arriving import arriving
from feedback_assets.assets.contract import refuse_missing
from feedback_assets.assets.estimates import estimated_rows
from feedback_assets.assets.materialize import Metadata, partitioned_result
from feedback_assets.assets.models import champion, versions
from feedback_assets.assets.space import LoopSpace, follows
from feedback_assets.assets.typed import cast_sql
from feedback_assets.config.schema import Config
from feedback_assets.performance.maturity import told
from feedback_assets.performance.metrics import class_codes, floats, likeliest
from feedback_assets.performance.periods import longest_days, realised_rows
from feedback_assets.performance.report import PERFORMANCE_COLUMNS, performance_frame
from feedback_assets.performance.sla import SLA_COLUMNS, sla_rows
from feedback_assets.performance.track import track_record
from feedback_assets.reports.model_plots import calibration
from feedback_assets.reports.plots import markdown_image
from feedback_assets.tables.connection import connect, registered
from feedback_assets.tables.table import Snapshot

DESCRIPTION = """How good the model is, with intervals: {kpi}

Realised on the labels that have arrived, with their maturity, stated anew when more arrive;
estimated before that. By day, trailing week and window, by model version and segment. What was
promised is in `{name}.sla`. An estimate cannot see that the world answers the same rows otherwise
than it did: only labels show that."""
HISTORY_DAYS = 60
"""Days of the report that streaks and the estimator's record are read from."""
MATURE = 0.9
"""Maturity from which a realised value may judge an estimate."""


def performance_report(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, performance_report]`, partitioned by prediction time."""

    @dg.asset(
        deps=[space.key("feedback_table")],
        partitions_def=space.partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(space.config.partitions.chunk),
        automation_condition=follows(),
        **space.attributes(
            "performance_report",
            DESCRIPTION.format(kpi=space.config.kpi.name, name=space.name),
            {"deltalake", "duckdb", "numpy"},
        ),
    )
    def _performance_report(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        keys = list(context.partition_keys)
        source = space.table("feedback_table").snapshot()
        refuse_missing(space, "feedback_table", keys, source)
        serving = champion(space)
        inputs = {"feedback_table": source.version, "reference": serving.version if serving else 0}
        cause = space.cause(context, inputs)
        with connect(space.settings) as con:
            frame, rows = judged(space, con, source, keys)
            with registered(con, "fa_judged", frame):
                snapshot = space.table("performance_report").replace(
                    con, cast_sql("fa_judged", PERFORMANCE_COLUMNS), keys, cause
                )
            recent = history(con, snapshot, keys)
            promises = sla_rows(recent[recent["kind"] == "realised"], space.config)
            with registered(con, "fa_promises", promises[promises["partition_key"].isin(keys)]):
                space.table("sla").replace(con, cast_sql("fa_promises", SLA_COLUMNS), keys, cause)
            said = {key: day_metadata(space.config, frame, promises, key) for key in keys}
            labels = arriving(space, con, source, known_until(con, source))
            extra = {
                "estimates_so_far": record_of(recent, space.config),
                **reliability_plot(space.config, rows),
                **(labels.metadata() if labels else {}),
            }
            return partitioned_result(context, space, snapshot, con, said, extra)

    return _performance_report


def judged(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, source: Snapshot, keys: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the report for these partitions, and the answers they are made from."""
    config = space.config
    window = trailing(space, source, keys, longest_days(config))
    now = known_until(con, source)
    rows = answers(space, con, source, window) if window else pd.DataFrame()
    if rows.empty:
        return performance_frame([], now), rows
    answered = set(rows["partition_key"].unique())
    wanted = [key for key in keys if key in answered]
    models = {str(model.version): model for model in versions(space)}
    expected = {name: model.manifest["metrics"] for name, model in models.items()}
    late = arrivals(space, con, source, now)
    parts = [realised_rows(rows, wanted, config, expected, late, now)]
    if config.performance.estimate:
        parts.append(estimated_rows(space, con, source, rows, wanted, models, now))
    filled = [part for part in parts if len(part)] or parts[:1]
    return pd.concat(filled, ignore_index=True), rows


def history(
    con: duckdb.DuckDBPyConnection, snapshot: Snapshot, keys: Sequence[str]
) -> pd.DataFrame:
    """The report of everything together over the newest days up to the newest of `keys`."""
    recent = [key for key in snapshot.partitions() if key <= max(keys)][-HISTORY_DAYS - len(keys) :]
    return con.execute(
        f"""SELECT partition_key, period, metric, kind, "value", low, high, maturity,
            low_mature, high_mature
            FROM {snapshot.relation(recent)} WHERE segment = '' AND model_version = ''
            ORDER BY partition_key"""
    ).df()


def record_of(recent: pd.DataFrame, config: Config) -> str:
    """How well the estimates of the main metric have done where labels have come since."""
    days = recent[(recent["period"] == "day") & (recent["metric"] == config.metric)]
    both = days[days["kind"] == "estimated"].merge(
        days[(days["kind"] == "realised") & (days["maturity"] >= MATURE)],
        on="partition_key",
        suffixes=("", "_realised"),
    )
    record = track_record(
        both[["value", "low", "high"]], both["value_realised"], config.performance.confidence
    )
    return record.text


def reliability_plot(config: Config, rows: pd.DataFrame) -> Metadata:
    """How often answers were right against their scores, over the window of the newest day."""
    if rows.empty or config.label.kind == "regression":
        return {}
    known = rows[(rows["label_status"] == "accepted") & rows["score"].notna()]
    if len(known) < config.performance.min_rows:
        return {}
    if config.label.kind == "binary":
        y, p = floats(known["label"]), floats(known["score"])
        what = "the positive class"
    else:
        names = [f"score_{c}" for c in config.label.classes]
        codes = class_codes(known["label"], config.label.classes)
        y, p = likeliest(codes, known[names].to_numpy(np.float64, na_value=np.nan))
        what = "the likeliest class"
    title = f"Calibration of {what}, {len(known):,} labels"
    png = calibration(y, p, title, confidence=config.performance.confidence)
    return {"reliability": dg.MetadataValue.md(markdown_image(png, title))}


def day_metadata(config: Config, frame: pd.DataFrame, promises: pd.DataFrame, key: str) -> Metadata:
    """What one day's event says, by metric: realised, estimated, expected; the promises."""
    rows = frame[
        (frame["partition_key"] == key)
        & (frame["period"] == "day")
        & (frame["segment"] == "")
        & (frame["model_version"] == "")
    ]
    said: Metadata = {}
    for record in rows.to_dict("records"):
        row = {str(name): value for name, value in record.items()}
        kind, metric = row["kind"], row["metric"]
        found = {f"{kind}_{metric}": row["value"]}
        if kind != "adjusted":
            found[f"{kind}_{metric}_low"] = row["low"]
            found[f"{kind}_{metric}_high"] = row["high"]
        if kind == "realised":
            found |= {f"{kind}_{metric}_{end}": row[end] for end in ("low_mature", "high_mature")}
        if kind != "adjusted":
            found[f"expected_{metric}"] = row["expected"]
        if kind == "realised" and metric == config.metric:
            said["performance"] = told(row)
            said["labels"] = int(row["labels"])
        said |= {name: float(value) for name, value in found.items() if known(value)}
    today = promises[promises["partition_key"] == key]
    if len(today):
        said["sla_streak"] = int(today["streak"].max())
        said["sla_broken"] = bool(today["broken"].any())
    return said


def known(value: object) -> bool:
    """Whether a number is there: not null, not NaN."""
    return isinstance(value, int | float) and not math.isnan(value)
