"""The model in production: a candidate takes its place only when it is proven better."""

import math
from typing import Any

import dagster as dg
import duckdb
from pydantic import Field

from feedback_assets.assets.acting import Acting, Judged
from feedback_assets.assets.drill import last_drill
from feedback_assets.assets.examination import page_path
from feedback_assets.assets.following import confirm_following
from feedback_assets.assets.ledger import actor_of, decisions, one_at_a_time, project
from feedback_assets.assets.materialize import Metadata
from feedback_assets.assets.models import (
    ModelVersion,
    champion,
    model_version,
    predecessor,
    versions,
)
from feedback_assets.assets.projections import bring_in_line, notes_page
from feedback_assets.assets.published import publish_models
from feedback_assets.assets.settling import settle, watch
from feedback_assets.assets.space import CAUSE_TAG, EVIDENCE_TAG, VERSION_TAG, LoopSpace
from feedback_assets.assets.trial import Look
from feedback_assets.clock import Clock
from feedback_assets.promotion.rollout import open_candidates, trials
from feedback_assets.reports.plots import gate_interval, markdown_image
from feedback_assets.tables.connection import connect

DESCRIPTION = """The champion of {title}, for {kpi}.

A candidate must pass every gate of the YAML file, on fresh rows that neither model was trained on.
Then it goes through the stages of `rollout`, and takes the champion's place when it is proven safe,
better ({metric}) and worth the change; people are asked where `approval` says so. For
`rollout.watch.days` the new champion is compared with the one it replaced, and taken back if it is
worse. A refusal is a success with its reason. `feedback-assets why {name}` tells the whole story."""
SHOWN_SEGMENTS = 20
LOOKS = ("rollout", "watch", "heal")
"""Causes of runs that look again at what is known."""


class PromotionConfig(dg.Config):
    """What one may choose when judging by hand."""

    version: int | None = Field(
        default=None,
        description="Candidate to judge; the run's tag, the one on trial or the newest if empty.",
    )


def promoted_model(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, promoted_model]`."""

    @dg.asset(
        deps=[
            space.key(name) for name in ("candidate_model", "evaluation_report", "canary_report")
        ],
        pool=f"{space.name}_model",
        **space.attributes(
            "promoted_model",
            DESCRIPTION.format(
                title=space.config.title,
                kpi=space.config.kpi.name,
                metric=space.config.metric,
                name=space.name,
            ),
            {"onnx", "mlflow"},
        ),
    )
    def _promoted_model(
        context: dg.AssetExecutionContext,
        config: PromotionConfig,
        clock: dg.ResourceParam[Clock],
    ) -> dg.MaterializeResult:
        version = config.version or int(context.run.tags.get(VERSION_TAG, 0)) or None
        with one_at_a_time(space, "promotion"), connect(space.settings) as con:
            acting = acting_in(context, space, con, clock)
            project(space, acting.run_id)
            publish_models(space)
            watched = watch(acting)
            new = context.run.tags.get(CAUSE_TAG) not in LOOKS
            for candidate in candidates_of(space, version, new):
                judged = settle(acting, candidate)
            confirm_following(space, acting.now, acting.run_id)
            bring_in_line(space)
        serving = champion(space)
        if serving is None:
            said = judged.final or judged.move
            raise dg.Failure(
                f"{said.reason if said else ''}: {space.name} has no champion yet",
                allow_retries=False,
            )
        return dg.MaterializeResult(
            data_version=dg.DataVersion(serving.digest),
            metadata=figures(space, judged, serving, watched),
        )

    return _promoted_model


def acting_in(
    context: dg.AssetExecutionContext,
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    clock: Clock,
) -> Acting:
    """Who acts in a run, and why."""
    return Acting(
        space,
        con,
        actor_of(context, space.settings),
        context.run.tags.get(CAUSE_TAG, "by hand"),
        context.run.tags.get(EVIDENCE_TAG, ""),
        context.run.run_id,
        clock.now(),
        context.log.info,
    )


def candidates_of(space: LoopSpace, version: int | None, new: bool = True) -> list[ModelVersion]:
    """Whom to judge: the named one, else all on trial and the newest that waits, else the newest.

    Args:
        space: The loop.
        version: The candidate that is named.
        new: Whether one whose gates were not asked yet may be among them: the sensor `promotion` has
            those examined by `evaluation_report` first.

    Raises:
        dg.Failure: Nothing was trained yet.
    """
    if version is not None:
        return [model_version(space, version)]
    known = decisions(space)
    tried = [at.version for at in trials(known, space.config_digest)]
    judged = {d.version for d in known if d.kind == "gate"}
    newest = [v for v in open_candidates(known)[-1:] if v not in tried and (new or v in judged)]
    waiting = [*tried, *newest]
    if waiting:
        return [model_version(space, int(v)) for v in waiting]
    trained = versions(space)
    if not trained:
        raise dg.Failure(f"{space.name} has no candidate: materialize candidate_model first")
    seen = [model for model in trained if new or str(model.version) in judged]
    return [(seen or trained)[-1]]


def figures(
    space: LoopSpace, judged: Judged, serving: ModelVersion, watched: Look | None
) -> Metadata:
    """What a person opens: who serves, what was decided and why, the gates, the notes, the way back."""
    before = predecessor(space)
    metadata: Metadata = {
        "champion": serving.version,
        "onnx_digest": serving.digest,
        "candidate": judged.candidate.version,
        "rollback_target": before.version if before else "none",
        "why": dg.MetadataValue.md(f"```sh\nfeedback-assets why {space.name}\n```"),
        **_decided(space, judged),
        **_gates(judged),
        **_watched(watched),
        **_drilled(space),
    }
    if judged.suite:
        page = page_path(space, judged.candidate, judged.before)
        metadata |= {
            "dagster/row_count": judged.suite["rows"],
            "evaluation_digest": judged.suite["evaluation_digest"],
            "evaluation_page": dg.MetadataValue.url(space.report_url(page)),
        }
        if drawn := intervals(judged.suite):
            png = gate_interval(drawn)
            metadata["intervals"] = dg.MetadataValue.md(
                markdown_image(png, "improvement over the champion by segment")
            )
    return metadata


def _decided(space: LoopSpace, judged: Judged) -> Metadata:
    """The decision, or what the candidate waits for."""
    final = judged.final
    if final is None:
        move = judged.move
        return {
            "decision": "on trial",
            "rule": move.rule if move else "",
            "reason": move.reason if move else "",
        }
    told: Metadata = {
        "decision": final.kind,
        "decision_id": final.decision_id,
        "rule": final.rule,
        "reason": final.reason,
    }
    if notes := final.details.get("release_notes"):
        page = notes_page(space, final)
        told["release_notes"] = dg.MetadataValue.md(notes)
        told["notes_page"] = dg.MetadataValue.url(space.report_url(page))
    return told


def _gates(judged: Judged) -> Metadata:
    """Each gate with what was observed, as a table."""
    records = [
        dg.TableRecord(
            {
                "gate": check.name,
                "outcome": _outcome(check.passed, check.overridden_by),
                "observed": _shown(check.observed),
                "limit": _shown(check.threshold),
                "reason": check.reason,
            }
        )
        for check in judged.gates
    ]
    return {"gates": dg.MetadataValue.table(records)} if records else {}


def _outcome(passed: bool, overridden_by: str) -> str:
    if overridden_by:
        return f"overridden by {overridden_by}"
    return "passed" if passed else "failed"


def _shown(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.6g}"


def _watched(seen: Look | None) -> Metadata:
    return {"watch": f"{seen.verdict.outcome}: {seen.verdict.reason}"} if seen else {}


def _drilled(space: LoopSpace) -> Metadata:
    last = last_drill(space)
    return {"last_rollback_drill": f"{last.seconds:.2f} s on {last.at:%Y-%m-%d}"} if last else {}


def intervals(suite: dict[str, Any]) -> list[dict[str, object]]:
    """The improvement over all rows and by judged segment, as the plot wants it."""
    found = suite["overall"].get(suite["metric"], {})
    whole = {"name": "all rows", "rows": suite["rows"], **_bounds(found)}
    parts = [
        {
            "name": f"{segment['column']} {segment['value']}",
            "rows": segment["rows"],
            "worse": segment["verdict"] == "clearly worse",
            **_bounds(segment),
        }
        for segment in suite["segments"]
        if segment["verdict"] != "shown only"
    ]
    return [row for row in [whole, *parts[:SHOWN_SEGMENTS]] if row["low"] is not None]


def _bounds(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "improvement": found.get("improvement"),
        "low": found.get("lower"),
        "high": found.get("upper"),
    }
