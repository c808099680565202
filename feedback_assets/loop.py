"""The one place that wires: a loop's Dagster definitions, made from its configuration."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg

from feedback_assets.assets.annotations import annotations
from feedback_assets.assets.approvals import approval_job
from feedback_assets.assets.automatic_labels import automatic_labels
from feedback_assets.assets.canary_report import canary_report
from feedback_assets.assets.candidate_model import candidate_model
from feedback_assets.assets.drift_report import drift_report
from feedback_assets.assets.evaluation_report import evaluation_report
from feedback_assets.assets.feedback_events import feedback_events
from feedback_assets.assets.feedback_table import feedback_table
from feedback_assets.assets.findings import findings
from feedback_assets.assets.flags import flags
from feedback_assets.assets.imported_logs import imported_logs
from feedback_assets.assets.label_quality import label_quality
from feedback_assets.assets.labeled_pool import labeled_pool
from feedback_assets.assets.performance_report import performance_report
from feedback_assets.assets.prediction_log import prediction_log
from feedback_assets.assets.profiles import profiles
from feedback_assets.assets.promoted_model import promoted_model
from feedback_assets.assets.review_queue import review_queue
from feedback_assets.assets.serving_log import serving_log
from feedback_assets.assets.space import LOOP_TAG, LoopSpace
from feedback_assets.checks.contracts import contract_check
from feedback_assets.checks.explained import explained_check
from feedback_assets.checks.signals import signal_checks
from feedback_assets.clock import Clock
from feedback_assets.config.load import load_loop, load_loops
from feedback_assets.config.schema import Config
from feedback_assets.sensors.arrivals import arrivals
from feedback_assets.sensors.late_feedback import late_feedback
from feedback_assets.sensors.promotion import promotion
from feedback_assets.sensors.retrain import retrain
from feedback_assets.sensors.review import review
from feedback_assets.sensors.rollout import rollout
from feedback_assets.settings import Settings

ASSETS = (
    prediction_log,
    feedback_events,
    feedback_table,
    profiles,
    drift_report,
    performance_report,
    findings,
    flags,
    review_queue,
    annotations,
    labeled_pool,
    label_quality,
    candidate_model,
    evaluation_report,
    canary_report,
    promoted_model,
    serving_log,
)
SENSORS = (arrivals, late_feedback, review, retrain, promotion, rollout)


ACCEPTED_BETAS = (
    "backfill_policy",  # without it a year of days is 365 runs, seven seconds each
    "allow_nonexistent_upstream_partitions",  # feedback of the newest days is yet to come
)


@contextmanager
def accepted_betas() -> Iterator[None]:
    """Dagster's warnings of the few beta parameters that are worth it are not shown."""
    with warnings.catch_warnings():
        for name in ACCEPTED_BETAS:
            message = f"Parameter `{name}`"
            warnings.filterwarnings("ignore", message, category=dg.BetaWarning)
        yield


@dataclass(frozen=True)
class FeedbackLoop:
    """One model in production: its assets, checks and sensors."""

    config: Config
    settings: Settings

    @cached_property
    def space(self) -> LoopSpace:
        """The loop's tables, keys and partitions."""
        return LoopSpace(self.config, self.settings)

    def definitions(self, clock: Clock | None = None) -> dg.Definitions:
        """Everything the loop consists of.

        Args:
            clock: The time that assets and sensors live in; the system's if absent.
        """
        space = self.space
        with accepted_betas():
            assets = [make(space) for make in ASSETS]
            if space.imports_logs:
                assets.append(imported_logs(space))
            if self.config.review.automatic:
                assets.append(automatic_labels(space))
        return dg.Definitions(
            assets=assets,
            asset_checks=[
                contract_check(space, "prediction_log"),
                contract_check(space, "feedback_events"),
                *signal_checks(space),
                explained_check(space),
            ],
            sensors=[*(make(space) for make in SENSORS), dataflow_sensor(space)],
            jobs=[approval_job(space)],
            resources={"clock": clock or Clock()},
            executor=dg.in_process_executor,
        )


def dataflow_sensor(space: LoopSpace) -> dg.AutomationConditionSensorDefinition:
    """The sensor that evaluates the loop's automation conditions."""
    return dg.AutomationConditionSensorDefinition(
        name=f"{space.name}_dataflow",
        target=dg.AssetSelection.groups(space.name),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        run_tags={LOOP_TAG: space.name, "feedback_assets/cause": "dataflow"},
        description="Brings all that is made of a day of predictions up to date with it.",
    )


class FeedbackLoopComponent(dg.Component, dg.Model, dg.Resolvable):
    """A loop as a Dagster component: `attributes: {config: configs/loops/flights.yaml}`."""

    config: str

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The loop's definitions."""
        path = context.path / Path(self.config)
        return FeedbackLoop(load_loop(path), Settings()).definitions()


def broken_loop(name: str, problem: Exception) -> dg.Definitions:
    """What stands in the place of a loop whose file does not load: its error, where one looks."""
    attributes: dict[str, Any] = {
        "key": dg.AssetKey([name, "broken_config"]),
        "group_name": name,
        "kinds": {"yaml"},
        "description": f"configs/loops/{name}.yaml does not load:\n\n```\n{problem}\n```",
    }

    @dg.asset(**attributes)
    def _broken_config() -> None:
        raise dg.Failure(str(problem), allow_retries=False)

    return dg.Definitions(assets=[_broken_config])


def all_loops(settings: Settings) -> dg.Definitions:
    """The definitions of all loops; one that does not load never stops the others."""
    clock = Clock()
    parts = [
        FeedbackLoop(loop, settings).definitions(clock)
        if isinstance(loop, Config)
        else broken_loop(re.sub(r"\W", "_", name), loop)
        for name, loop in load_loops(settings).items()
    ]
    return dg.Definitions.merge(dg.Definitions(), *parts)
