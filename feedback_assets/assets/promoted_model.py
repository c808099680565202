"""The model in production: a candidate takes its place only when it is proven better."""

import json
import math
from dataclasses import dataclass

import dagster as dg
import duckdb
import pandas as pd
from pydantic import Field

from feedback_assets.assets.ledger import actor_of, decisions, one_at_a_time, record
from feedback_assets.assets.materialize import Metadata
from feedback_assets.assets.models import ModelVersion, champion, model_version, versions
from feedback_assets.assets.published import publish_models
from feedback_assets.assets.space import CAUSE_TAG, EVIDENCE_TAG, LoopSpace
from feedback_assets.clock import Clock
from feedback_assets.labels.pool import holdout_sql
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.gate import GateResult, compare
from feedback_assets.promotion.notes import release_notes
from feedback_assets.promotion.scores import ModelScores, evaluation_digest
from feedback_assets.reports.plots import gate_interval, markdown_image
from feedback_assets.tables.connection import connect
from feedback_assets.training.registry import project_decision

DESCRIPTION = """The champion of {title}, for {kpi}.

Candidate and champion answer the same fresh rows, which neither was trained on. The alias moves only
when the candidate's {metric} is better beyond uncertainty and no segment is clearly worse; a refusal
is a success with its reason. Each decision is a record in `{name}.decisions`."""
VERSION_TAG = "feedback_assets/candidate"
SHOWN_SEGMENTS = 20


class PromotionConfig(dg.Config):
    """What one may choose when judging by hand."""

    version: int | None = Field(
        default=None, description="Candidate to judge; the run's tag or the newest if empty."
    )


@dataclass(frozen=True)
class Judged:
    """A candidate's comparison and the decision that it led to."""

    candidate: ModelVersion
    gate: GateResult
    decision: Decision


def promoted_model(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, promoted_model]`."""

    @dg.asset(
        deps=[space.key("candidate_model")],
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
            judged = settle(space, context, con, candidate_of(space, version), clock)
        serving = champion(space)
        if serving is None:
            raise dg.Failure(f"{judged.decision.reason}: {space.name} has no champion yet")
        return dg.MaterializeResult(
            data_version=dg.DataVersion(serving.digest),
            metadata=figures(space, judged, serving),
        )

    return _promoted_model


def candidate_of(space: LoopSpace, version: int | None) -> ModelVersion:
    """The candidate to judge: the one that is named, else the newest.

    Raises:
        dg.Failure: Nothing was trained yet.
    """
    if version is not None:
        return model_version(space, version)
    known = versions(space)
    if not known:
        raise dg.Failure(f"{space.name} has no candidate: materialize candidate_model first")
    return known[-1]


def settle(
    space: LoopSpace,
    context: dg.AssetExecutionContext,
    con: duckdb.DuckDBPyConnection,
    candidate: ModelVersion,
    clock: Clock,
) -> Judged:
    """Judge a candidate once, record the decision, bring the registry in line with it.

    The ledger is written first and is the truth; what the service answers with, the registry's
    aliases and the notes are its projection, made again by any later run if this one is killed in
    between. The service comes first: it must follow even when MLflow is down.
    """
    earlier = next(
        (d for d in decisions(space, "promote", "refuse") if d.version == str(candidate.version)),
        None,
    )
    before = before_decision(space, earlier)
    gate = judge(space, con, candidate, before)
    decision = earlier or record(
        space, decision_of(space, context, candidate, before, gate, clock), context.run.run_id
    )
    publish_models(space)
    serving = champion(space)
    notes = release_notes(decision, gate, candidate.manifest["pool"], space.config)
    project_decision(
        space.settings,
        space.config,
        candidate.manifest,
        decision,
        serving.version if serving else None,
        {"release_notes.md": notes, "gate.json": gate.to_json()},
    )
    page = space.reports / "decisions" / f"version-{candidate.version}.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(notes, encoding="utf-8")
    return Judged(candidate, gate, decision)


def before_decision(space: LoopSpace, earlier: Decision | None) -> ModelVersion | None:
    """The champion that a candidate is compared with; of a past decision, the one of then."""
    if earlier is None:
        return champion(space)
    return model_version(space, int(earlier.previous_version)) if earlier.previous_version else None


def judge(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    candidate: ModelVersion,
    before: ModelVersion | None,
) -> GateResult:
    """Compare by ONNX on the candidate's held-out rows that the champion was not trained on."""
    rows = fresh_rows(space, con, candidate, before)
    digest = evaluation_digest(rows["prediction_id"].tolist(), rows["label"].tolist())
    segments = {name: rows[name].to_numpy() for name in space.config.columns.segments}
    return compare(
        scores_of(before, rows, digest) if before else None,
        scores_of(candidate, rows, digest),
        rows["label"].to_numpy(),
        space.config,
        segments,
    )


def fresh_rows(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    candidate: ModelVersion,
    before: ModelVersion | None,
) -> pd.DataFrame:
    """Held-out rows of the candidate's own pool version, newer than either training."""
    pool = space.table("labeled_pool").snapshot(candidate.manifest["pool"]["version"])
    rows = con.execute(holdout_sql(pool.relation())).df()
    newest = max(m.train_end for m in (candidate, before) if m is not None)
    return rows[rows["event_time"] > newest].reset_index(drop=True)


def scores_of(model: ModelVersion, rows: pd.DataFrame, digest: str) -> ModelScores:
    """What one version says about the evaluation rows."""
    loaded = model.load()
    answers = loaded.score(rows)
    return ModelScores(
        loaded.digest, digest, answers.score, answers.class_scores, str(model.version)
    )


def decision_of(
    space: LoopSpace,
    context: dg.AssetExecutionContext,
    candidate: ModelVersion,
    before: ModelVersion | None,
    gate: GateResult,
    clock: Clock,
) -> Decision:
    """The gate's outcome as the ledger keeps it."""
    return Decision(
        loop=space.name,
        kind=gate.outcome,
        time=clock.now(),
        version=str(candidate.version),
        previous_version=str(before.version) if before else None,
        actor=actor_of(context, space.settings),
        cause=context.run.tags.get(CAUSE_TAG, "by hand"),
        rule=gate.rule,
        reason=gate.reason,
        evidence={
            "candidate": gate.candidate_digest,
            "champion": gate.champion_digest,
            "evaluation": gate.evaluation_digest,
            "training_digest": candidate.manifest["training_digest"],
            "config_digest": space.config_digest,
            "told": context.run.tags.get(EVIDENCE_TAG, ""),
        },
        numbers=gate.numbers,
    )


def figures(space: LoopSpace, judged: Judged, serving: ModelVersion) -> Metadata:
    """What a person opens: who serves, what was decided and why, the intervals, the notes."""
    gate, decision = judged.gate, judged.decision
    notes = space.reports / "decisions" / f"version-{judged.candidate.version}.md"
    metadata: Metadata = {
        "champion": serving.version,
        "onnx_digest": serving.digest,
        "candidate": judged.candidate.version,
        "decision": decision.kind,
        "decision_id": decision.decision_id,
        "rule": decision.rule,
        "reason": decision.reason,
        "dagster/row_count": gate.rows,
        "evaluation_digest": gate.evaluation_digest,
        "gate": dg.MetadataValue.json(json.loads(gate.to_json())),
        "release_notes": dg.MetadataValue.md(notes.read_text("utf-8")),
        "notes_page": dg.MetadataValue.url(space.report_url(notes)),
    }
    if gate.champion_digest:
        png = gate_interval(intervals(gate))
        metadata["intervals"] = dg.MetadataValue.md(
            markdown_image(png, "improvement over the champion by segment")
        )
    return metadata


def intervals(gate: GateResult) -> list[dict[str, object]]:
    """The improvement over all rows and by judged segment, as the plot wants it."""
    whole = {
        "name": "all rows",
        "rows": gate.rows,
        "improvement": gate.improvement,
        "low": gate.lower,
        "high": gate.upper,
    }
    parts = [
        {
            "name": f"{segment.column} {segment.value}",
            "rows": segment.rows,
            "improvement": segment.improvement,
            "low": segment.lower,
            "high": segment.upper,
            "worse": segment.verdict == "clearly worse",
        }
        for segment in gate.segments
        if segment.verdict != "shown only"
    ]
    drawn = [whole, *parts[:SHOWN_SEGMENTS]]
    return [row for row in drawn if math.isfinite(float(str(row["low"])))]
