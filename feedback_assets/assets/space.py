"""One loop's place in the world: its tables, models, asset keys and partitions."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg

from feedback_assets import __version__
from feedback_assets.config.grain import partition_end, partition_key_of
from feedback_assets.config.load import config_digest
from feedback_assets.config.schema import Config
from feedback_assets.config.source import FileSource, Side
from feedback_assets.settings import Settings
from feedback_assets.tables.table import Cause, Table

SORT_KEYS: Mapping[str, Sequence[str]] = {
    "prediction_log": ("prediction_id",),
    "prediction_log_quarantine": ("source_file", "source_row", "reason"),
    "feedback_events": ("event_id",),
    "feedback_events_quarantine": ("source_file", "source_row", "reason"),
    "feedback_table": ("prediction_id",),
    "profiles": (
        "against", "model_version", "column_name", "segment", "segment_value", "bin", "value",
    ),
    "drift_report": ("against", "role", "column_name", "segment", "segment_value"),
    "performance_report": (
        "period", "segment", "segment_value", "model_version", "metric", "kind",
    ),
    "sla": ("metric", "period", "target"),
    "findings": ("kind", "subject"),
    "labeled_pool": ("prediction_id",),
    "serving_log": ("prediction_id", "role", "model_version"),
    "decisions": ("decision_id",),
    "trial_rows": ("prediction_id",),
    "canary_report": ("trial",),
    "flags": ("prediction_id", "reason"),
    "review_queue": ("task_id",),
    "annotations": ("annotation_id",),
    "review_labels": ("event_id",),
    "automatic_labels": ("prediction_id",),
}  # fmt: skip
JUDGEMENTS = ("profiles", "drift_report", "performance_report", "findings", "flags")
"""What is made of a day of the feedback table, day by day, in the order of the dataflow."""
DATAFLOW = ("prediction_log", "feedback_table", *JUDGEMENTS)
"""What follows from a day of predictions."""
LOOP_TAG = "feedback_assets/loop"
CAUSE_TAG = "feedback_assets/cause"
EVIDENCE_TAG = "feedback_assets/evidence"
RETRAIN_TAG = "feedback_assets/retrain"
VERSION_TAG = "feedback_assets/candidate"


@dataclass(frozen=True)
class LoopSpace:
    """Where one loop lives; every asset, check and sensor of the loop is made with it."""

    config: Config
    settings: Settings

    @property
    def name(self) -> str:
        """The loop's name."""
        return self.config.name

    def key(self, asset: str) -> dg.AssetKey:
        """The key of one of the loop's assets."""
        return dg.AssetKey([self.name, asset])

    def table(self, name: str) -> Table:
        """One of the loop's tables."""
        return Table(self.settings.tables, f"{self.name}/{name}", SORT_KEYS[name])

    @property
    def sources(self) -> dict[Side, FileSource]:
        """Both ends of the loop: `predictions` and `feedback`."""
        source = self.config.source
        return {"predictions": source.predictions, "feedback": source.feedback}

    @property
    def imports_logs(self) -> bool:
        """Whether a source is a log of another system."""
        return any(source.foreign for source in self.sources.values())

    @property
    def imports(self) -> list[dg.AssetKey]:
        """What the tables of both ends are made from, beside files and the service's inbox."""
        return [self.key("imported_logs")] if self.imports_logs else []

    @property
    def horizon(self) -> dt.timedelta:
        """How late a label may come."""
        return dt.timedelta(days=self.config.label.max_delay_days)

    @property
    def models(self) -> Path:
        """The folder of the loop's models, one subfolder a version."""
        return self.settings.models / self.name

    @property
    def reports(self) -> Path:
        """The folder of the loop's pages."""
        return self.settings.reports / self.name

    def report_url(self, page: Path) -> str:
        """The address at which `feedback-assets ui` serves a page of the reports folder."""
        return f"{self.settings.reports_url}/{page.relative_to(self.settings.reports).as_posix()}"

    @cached_property
    def config_digest(self) -> str:
        """Digest of the loop's configuration, overrides included."""
        return config_digest(self.config)

    @cached_property
    def partitions(self) -> dg.TimeWindowPartitionsDefinition:
        """The loop's partitions in Dagster's terms; the running one is included."""
        cut = self.config.partitions
        start = dt.datetime.combine(cut.start, dt.time(), dt.UTC)
        last = dt.datetime.combine(cut.end, dt.time(23), dt.UTC) if cut.end else None
        end = partition_end(cut.grain, partition_key_of(cut.grain, last)) if last else None
        match cut.grain:
            case "hourly":
                return dg.HourlyPartitionsDefinition(start, end, fmt="%Y-%m-%dT%H", end_offset=1)
            case "weekly":
                return dg.WeeklyPartitionsDefinition(
                    start, day_offset=1, end_date=end, end_offset=1
                )
            case _:
                return dg.DailyPartitionsDefinition(start, end_date=end, end_offset=1)

    @property
    def code_version(self) -> str:
        """The package's version and the digest of the loop's configuration."""
        return f"{__version__}-{self.config_digest[:12]}"

    def attributes(self, asset: str, description: str, kinds: set[str]) -> dict[str, Any]:
        """What every asset of the loop has in common."""
        return {
            "key": self.key(asset),
            "description": description,
            "group_name": self.name,
            "owners": self.config.owners,
            "kinds": kinds,
            "code_version": self.code_version,
            "tags": {LOOP_TAG: self.name},
            "metadata": {"dagster/table_name": f"{self.name}.{asset}"},
        }

    def cause(
        self, context: dg.AssetExecutionContext, inputs: Mapping[str, int], **details: str
    ) -> Cause:
        """What a commit says of itself: the run, the asset and the versions it was made from."""
        return Cause(
            run_id=context.run.run_id,
            asset=context.asset_key.to_user_string(),
            inputs=dict(inputs),
            details={"code_version": self.code_version, **details},
        )


def follows() -> dg.AutomationCondition:
    """Plain dataflow: made again when what it is made of has changed, and is not being made."""
    return (
        dg.AutomationCondition.any_deps_updated().since_last_handled()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    )


def micros(moment: dt.datetime) -> int:
    """Microseconds since 1970, the unit in which `as_of` is compared between commits."""
    return int(moment.timestamp() * 1_000_000)
