"""A candidate examined beside the champion on the same fresh rows, as numbers and as a page."""

import math
from typing import Any

import dagster as dg

from feedback_assets.assets.budget import budget
from feedback_assets.assets.examination import Suite, page_path, suite_of, suite_path
from feedback_assets.assets.materialize import Metadata
from feedback_assets.assets.models import ModelVersion, champion
from feedback_assets.assets.promoted_model import PromotionConfig, candidates_of
from feedback_assets.assets.space import VERSION_TAG, LoopSpace
from feedback_assets.evaluation.suite import suite_digest, suite_text
from feedback_assets.reports.evaluation_page import evaluation_page
from feedback_assets.tables.connection import connect
from feedback_assets.training.registry import keep_files

DESCRIPTION = """How a candidate of {title} compares with the champion, on fresh rows that neither was
trained on, both scored by ONNX.

Every metric with its interval, every segment and pair, calibration, latency, size, changed answers and
negative flips, bad days (`evaluation.scenarios`), what each feature group is worth, fairness. One JSON
with a digest and one page, both with the candidate's run in MLflow. The rows are a budget: after
`evaluation.uses` candidates a day's rows have told too much, and go to training."""


def evaluation_report(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, evaluation_report]`."""

    @dg.asset(
        deps=[space.key("candidate_model")],
        pool=f"{space.name}_model",
        **space.attributes(
            "evaluation_report",
            DESCRIPTION.format(title=space.config.title),
            {"onnx", "mlflow"},
        ),
    )
    def _evaluation_report(
        context: dg.AssetExecutionContext, config: PromotionConfig
    ) -> dg.MaterializeResult:
        version = config.version or int(context.run.tags.get(VERSION_TAG, 0)) or None
        candidate, before = candidates_of(space, version)[-1], champion(space)
        if before is not None and before.digest == candidate.digest:
            context.log.info(f"version {candidate.version} is the very model that serves")
            return dg.MaterializeResult(metadata={"candidate": candidate.version})
        with connect(space.settings) as con:
            suite = suite_of(space, con, candidate, before, context.log.info)
        keep(space, candidate, before, suite)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(suite_digest(suite)),
            metadata=figures(space, candidate, before, suite),
        )

    return _evaluation_report


def keep(
    space: LoopSpace, candidate: ModelVersion, before: ModelVersion | None, suite: Suite
) -> None:
    """Suite and page as artifacts of the candidate's MLflow run."""
    page = page_path(space, candidate, before)
    html = page.read_text("utf-8") if page.exists() else evaluation_page(suite, space.config)
    keep_files(
        space.settings,
        candidate.manifest["mlflow_run_id"],
        {suite_path(candidate, before).name: suite_text(suite), page.name: html},
    )


def figures(
    space: LoopSpace, candidate: ModelVersion, before: ModelVersion | None, suite: Suite
) -> Metadata:
    """What a person opens: the page, the deciding numbers, what remains of the rows' trust."""
    spent = budget(space)
    days = list(suite["days"])
    uses = {day: spent.uses.get(day, 0) for day in days}
    told: Metadata = {
        "candidate": candidate.version,
        "champion": before.version if before else "none",
        "dagster/row_count": suite["rows"],
        "suite_digest": suite_digest(suite),
        "evaluation_digest": suite["evaluation_digest"],
        "page": dg.MetadataValue.url(space.report_url(page_path(space, candidate, before))),
        "suite": dg.MetadataValue.path(str(suite_path(candidate, before))),
        "overall": dg.MetadataValue.table(overall(suite)),
        "remaining_trust": round(spent.trust(days), 3),
        "uses_of_each_day": dg.MetadataValue.json({"limit": spent.limit, "uses": uses}),
    }
    for name in ("changed_share", "negative_flips"):
        value = (suite.get("churn") or {}).get(name)
        if value is not None and math.isfinite(value):
            told[name] = float(value)
    latency = (suite.get("latency") or {}).get("candidate") or {}
    if latency.get("p95_ms") is not None:
        told["latency_p95_ms"] = float(latency["p95_ms"])
    return told


def overall(suite: Suite) -> list[dg.TableRecord]:
    """Every metric of both, with the improvement's interval."""
    return [
        dg.TableRecord({"metric": name, **{key: _shown(value) for key, value in found.items()}})
        for name, found in suite["overall"].items()
    ]


def _shown(value: Any) -> str:
    return "-" if value is None else f"{value:.5g}"
