"""A candidate trained from a pinned pool, exported, proven equal, registered."""

import json

import dagster as dg
from pydantic import Field

from feedback_assets.assets.labeled_pool import pinned_pool
from feedback_assets.assets.ledger import actor_of, one_at_a_time, record
from feedback_assets.assets.materialize import Metadata
from feedback_assets.assets.models import ModelVersion, trained_from
from feedback_assets.assets.published import publish_models
from feedback_assets.assets.space import CAUSE_TAG, EVIDENCE_TAG, LoopSpace
from feedback_assets.assets.training import train_version, training_digest
from feedback_assets.clock import Clock
from feedback_assets.promotion.decisions import Decision
from feedback_assets.reports.plots import markdown_image
from feedback_assets.tables.connection import connect

DESCRIPTION = """The newest candidate for {title}, trained from a pinned version of the labeled pool.

Its manifest names every row it learned from; it is ONNX, proven to answer as the estimator does on
every held-out row. The same inputs give the same ONNX digest, and training twice from the same
inputs registers nothing new."""
MANUAL = "by hand"


class CandidateConfig(dg.Config):
    """What one may choose when training by hand."""

    pool_version: int | None = Field(
        default=None, description="Version of the labeled pool; the newest if empty."
    )


def candidate_model(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, candidate_model]`."""

    @dg.asset(
        deps=[space.key("labeled_pool")],
        pool=f"{space.name}_model",
        **space.attributes(
            "candidate_model",
            DESCRIPTION.format(title=space.config.title),
            {"scikitlearn", "onnx", "mlflow"},
        ),
    )
    def _candidate_model(
        context: dg.AssetExecutionContext,
        config: CandidateConfig,
        clock: dg.ResourceParam[Clock],
    ) -> dg.MaterializeResult:
        pool = pinned_pool(space, config.pool_version)
        identity = training_digest(space, pool)
        cause = context.run.tags.get(CAUSE_TAG, MANUAL)
        with one_at_a_time(space, "training"), connect(space.settings) as con:
            model = trained_from(space, identity)
            if model is None:
                model = train_version(space, context, con, pool, identity, cause, clock.now())
            else:
                context.log.info(
                    f"version {model.version} was trained from exactly these inputs already"
                )
            record(space, decision_of(space, model, context, cause, clock), context.run.run_id)
            publish_models(space)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(model.digest), metadata=figures(space, model)
        )

    return _candidate_model


def decision_of(
    space: LoopSpace,
    model: ModelVersion,
    context: dg.AssetExecutionContext,
    cause: str,
    clock: Clock,
) -> Decision:
    """The decision to train, as the ledger keeps it."""
    told = context.run.tags.get(EVIDENCE_TAG, "")
    manifest = model.manifest
    metric = space.config.metric
    value = manifest["metrics"][metric]
    reached = f"{metric} {value:.4f}" if value is not None else f"{metric} not defined"
    return Decision(
        loop=space.name,
        kind="retrain",
        time=clock.now(),
        version=str(model.version),
        actor=actor_of(context, space.settings),
        cause=cause,
        rule="trigger policy" if cause != MANUAL else MANUAL,
        reason=f"{reason_in(told) or cause}; trained on {manifest['train_rows']:,} rows, "
        f"{reached} on {manifest['holdout_rows']:,} held out",
        evidence={"training_digest": manifest["training_digest"], "told": told},
        numbers={
            "train_rows": float(manifest["train_rows"]),
            **({} if value is None else {metric: float(value)}),
        },
    )


def reason_in(evidence: str) -> str:
    """The reason that a sensor put into the run's evidence."""
    return str(json.loads(evidence).get("reason", "")) if evidence else ""


def figures(space: LoopSpace, model: ModelVersion) -> Metadata:
    """What a person opens: metrics, plots, manifest, where the model is."""
    manifest = model.manifest
    plots = {
        path.stem: dg.MetadataValue.md(markdown_image(path.read_bytes(), path.stem))
        for path in sorted((model.folder / "plots").glob("*.png"))
    }
    return {
        "model_version": model.version,
        "onnx_digest": model.digest,
        "dagster/row_count": manifest["train_rows"],
        "train_rows": manifest["train_rows"],
        "holdout_rows": manifest["holdout_rows"],
        "train_end": manifest["train_end"],
        "cause": manifest["cause"],
        "parity": manifest["parity"],
        **{
            f"holdout_{name}": float(value)
            for name, value in manifest["metrics"].items()
            if value is not None
        },
        "mlflow_run": manifest["mlflow_run_id"],
        "model": dg.MetadataValue.path(str(model.folder)),
        "manifest": dg.MetadataValue.json(manifest),
        "which_rows": dg.MetadataValue.md(
            f"```sh\nfeedback-assets rows {space.name} {model.version}\n```"
        ),
        **plots,
    }
