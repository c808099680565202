"""How good the labels are, and how well the people answer who give them."""

import hashlib
import json
from typing import Any

import dagster as dg

from feedback_assets.assets.label_advice import advice_metadata
from feedback_assets.assets.label_evidence import Report, label_evidence
from feedback_assets.assets.label_worth import worth_metadata, worth_report
from feedback_assets.assets.materialize import Metadata, shown
from feedback_assets.assets.space import LoopSpace
from feedback_assets.clock import Clock
from feedback_assets.reports.label_plots import agreement_bars
from feedback_assets.reports.label_quality_page import label_quality_page
from feedback_assets.reports.plots import markdown_image
from feedback_assets.serving.manifest import write_atomically
from feedback_assets.tables.connection import connect

DESCRIPTION = """How good the labels of {title} are.

People: speed, agreement with the others, golden items, changed habits. Labels: how many are right by an
audited random sample, which are probably wrong by cross-validated models (confident learning), which
contradict others with equal features. And what the labels bought."""
SHOWN = 20


def label_quality(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, label_quality]`: a page and figures as of now."""
    every = dg.AllPartitionMapping()

    @dg.asset(
        deps=[
            space.key("annotations"),
            dg.AssetDep(space.key("feedback_events"), partition_mapping=every),
            space.key("labeled_pool"),
        ],
        **space.attributes(
            "label_quality", DESCRIPTION.format(title=space.config.title), {"duckdb", "scikitlearn"}
        ),
    )
    def _label_quality(clock: dg.ResourceParam[Clock]) -> dg.MaterializeResult:
        now = clock.now()
        with connect(space.settings) as con:
            report = label_evidence(space, con, now)
            report["worth"] = worth_report(space, con, now)
            worth = worth_metadata(space, con, now)
        page = space.reports / "labels" / "quality.html"
        advice = page.with_name("advice.html")
        links = {"Which strategy to ask by": advice.name} if advice.exists() else {}
        write_atomically(page, label_quality_page(report, space.config, links).encode())
        return dg.MaterializeResult(
            data_version=dg.DataVersion(digest_of(report)),
            metadata={
                "page": dg.MetadataValue.url(space.report_url(page)),
                **figures(report),
                **worth,
                **advice_metadata(space),
            },
        )

    return _label_quality


def digest_of(report: Report) -> str:
    """SHA-256 of what was found, the moment left out."""
    found = {name: value for name, value in report.items() if name != "as_of"}
    text = json.dumps(found, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def figures(report: Report) -> Metadata:
    """The deciding figures and the longest lists' first rows."""
    alpha, audit, errors = report["alpha"], report["audit"], report["errors"]
    told: Metadata = {
        "answers": report["answers"],
        "people": len(report["annotators"]),
        "disputed": report["disputed_rows"],
        "habits_changed": len({row["annotator"] for row in report["habits"]}),
    }
    if alpha["alpha"] is not None:
        told |= {"alpha": alpha["alpha"], "answered_twice": alpha["items"]}
    if audit and audit["rows"]:
        told |= {
            "audited": audit["rows"],
            "right": audit["share"],
            "right_from": audit["low"],
            "right_to": audit["high"],
        }
    if errors is not None:
        told |= {"examined": report["examined"], "in_doubt": errors["rows"]}
        told["label_errors"] = table(
            errors["listed"], ["prediction_id", "label", "meant", "doubt", "label_source"]
        )
        told["conflicts"] = report["conflicts"]["groups"]
    if report["annotators"]:
        columns = [
            "annotator",
            "answers",
            "minutes",
            "agreement",
            "kappa",
            "golden",
            "golden_right",
        ]
        told["annotators"] = table(report["annotators"], columns)
        told["agreement"] = dg.MetadataValue.md(
            markdown_image(agreement_bars(report["annotators"]), "agreement with others, by person")
        )
    return told


def table(rows: list[dict[str, Any]], columns: list[str]) -> dg.TableMetadataValue:
    """Some columns of the first rows."""
    records = [
        dg.TableRecord({name: shown(row.get(name)) for name in columns}) for row in rows[:SHOWN]
    ]
    schema = dg.TableSchema(columns=[dg.TableColumn(name) for name in columns])
    return dg.MetadataValue.table(records=records, schema=schema)
