"""Trials: two models on the same rows, looked at as often as one likes.

A trial asks whether a candidate may take the champion's place; a watch, after its promotion, whether
it should have. Both score the logged rows by ONNX, so neither needs the service.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import duckdb
import numpy as np
import pandas as pd

from feedback_assets.assets.budget import budget
from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import ModelVersion, champion, model_version, reign
from feedback_assets.assets.service_figures import ServiceFigures, service_figures
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.trial_rows import SIDES, Side, TrialRows, by_side, trial_rows
from feedback_assets.assets.trial_worth import KpiFigures, kpi_figures
from feedback_assets.config.grain import partition_end, partition_start
from feedback_assets.config.schema import Config
from feedback_assets.performance.metrics import Floats, floats
from feedback_assets.promotion.paired import Paired, loss_cap, paired, paired_metric, row_losses
from feedback_assets.promotion.rollout import trials
from feedback_assets.promotion.verdict import Verdict, verdict, watch_verdict

TrialKind = Literal["trial", "watch"]
TrialStage = Literal["candidate", "shadow", "canary", "watch"]
VOLUME_DAYS = 28
"""Days of the log from which the volume is learned."""
KEPT_POINTS = 40
"""Points of the evidence's path that a record keeps."""


@dataclass(frozen=True)
class Trial:
    """Two models of which one may serve.

    Attributes:
        kind: a candidate's `trial`, or the `watch` over a new champion.
        champion: who serves; of a watch, who was replaced.
        challenger: the candidate; of a watch, the new champion.
        since: when the present stage began; of a watch, the promotion.
        held_out: whether rows that were there before the challenger was trained, but held out,
            count as well.
        stage: where the candidate is.
        decision_id: of the decision that opened it.
    """

    kind: TrialKind
    champion: ModelVersion
    challenger: ModelVersion
    since: dt.datetime
    held_out: bool = True
    stage: TrialStage = "shadow"
    decision_id: str = ""

    @property
    def name(self) -> str:
        """What tables and files call it, as in `trial-12-against-9`."""
        return f"{self.kind}-{self.challenger.version}-against-{self.champion.version}"

    @property
    def models(self) -> tuple[ModelVersion, ModelVersion]:
        """Champion and challenger."""
        return self.champion, self.challenger

    @property
    def after(self) -> dt.datetime:
        """Rows predicted later are fresh to both models, and count."""
        if self.kind == "watch":
            return self.since
        newest = max(self.champion.train_end, self.challenger.train_end)
        return newest if self.held_out else max(newest, self.challenger.as_of)


@dataclass(frozen=True)
class Look:
    """What is known of a trial at one moment.

    Attributes:
        trial: which.
        as_of: nothing received later was used.
        predictions: rows that both models scored.
        paired: the evidence of the labelled ones, in the order of their labels.
        verdict: what it says; of a watch, whether to roll back.
        service: how the service did; None where nobody asked it since.
        kpi: what the answers are worth; None where the file does not say what one is.
        rows_per_day: predictions a day.
        inputs: table to the version that was read.
    """

    trial: Trial
    as_of: dt.datetime
    predictions: int
    paired: Paired
    verdict: Verdict
    service: ServiceFigures | None
    kpi: KpiFigures | None
    rows_per_day: float
    inputs: dict[str, int]

    @property
    def labels(self) -> int:
        """Labelled rows."""
        return self.paired.labels

    def to_dict(self) -> dict[str, Any]:
        """JSON values, as the ledger keeps them; numbers are finite or null."""
        return {
            "trial": self.trial.name,
            "kind": self.trial.kind,
            "stage": self.trial.stage,
            "champion": str(self.trial.champion.version),
            "challenger": str(self.trial.challenger.version),
            "since": self.trial.since.isoformat(),
            "after": self.trial.after.isoformat(),
            "as_of": self.as_of.isoformat(),
            "predictions": self.predictions,
            "labels": self.labels,
            "rows_per_day": self.rows_per_day,
            "paired": thinned(self.paired.to_dict()),
            "verdict": self.verdict.to_dict(),
            "service": self.service.to_dict() if self.service else None,
            "kpi": self.kpi.to_dict() if self.kpi else None,
            "inputs": self.inputs,
        }


def thinned(evidence: dict[str, Any]) -> dict[str, Any]:
    """The evidence with a path of at most `KEPT_POINTS` and its end: a record is kept for ever."""
    path = evidence["points"]
    step = max(1, -(-len(path) // KEPT_POINTS))
    return {**evidence, "points": [*path[:-1:step], *path[-1:]]}


def open_trials(space: LoopSpace, now: dt.datetime) -> tuple[Trial, ...]:
    """The candidates that are tried now, oldest first, and the watch over the champion if it is on."""
    serving = champion(space)
    if serving is None:
        return ()
    tried = [
        Trial(
            "trial",
            serving,
            model_version(space, int(at.version)),
            at.since or now,
            space.config.rollout.shadow.held_out,
            "shadow" if at.passed_over else at.place,
            at.stages[-1].decision_id,
        )
        for at in trials(decisions(space), space.config_digest)
    ]
    watched = watch(space, serving, now)
    return (*tried, *([watched] if watched else []))


def watch(space: LoopSpace, serving: ModelVersion, now: dt.datetime) -> Trial | None:
    """The watch over the champion since its promotion; None if there is none or its time is over."""
    line, made = reign(space), decisions(space, "promote", "rollback")
    promotion = made[-1]
    # Who came back by a rollback was judged by it: there is nobody to go back to for a better one.
    if promotion.kind != "promote" or len(line) < 2:
        return None
    if now > promotion.time + dt.timedelta(days=space.config.rollout.watch.days):
        return None
    replaced = model_version(space, line[-2])
    return Trial("watch", replaced, serving, promotion.time, False, "watch", promotion.decision_id)


def look(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    trial: Trial,
    now: dt.datetime,
    run_id: str = "",
) -> Look:
    """Look at a trial: score the rows that are new, pair the losses, judge.

    Args:
        space: The loop.
        con: A connection.
        trial: Which.
        now: Nothing received later is used.
        run_id: The run that asks; kept with the scores.

    Raises:
        TrainingError: A model cannot score the log's rows.
        TableError: There is no feedback table yet.
    """
    config = space.config
    spent = budget(space, trial.challenger.version).spent if trial.kind == "trial" else []
    rows = trial_rows(space, con, trial.models, trial.after, now, spent, run_id)
    evidence = evidence_of(config, trial, rows)
    volume = rows_per_day(space, now)
    service = service_figures(
        space, con, trial.challenger, trial.since, now, rows.scores, trial.kind == "watch"
    )
    judged = (
        watch_verdict(config, evidence)
        if trial.kind == "watch"
        else verdict(config, evidence, volume)
    )
    return Look(
        trial,
        now,
        len(rows.frame),
        evidence,
        judged,
        service,
        kpi_figures(space, con, trial.models, rows),
        volume,
        {**rows.inputs, "serving_log": space.table("serving_log").snapshot().version},
    )


def evidence_of(config: Config, trial: Trial, rows: TrialRows) -> Paired:
    """The paired losses of the rows that count, in the order in which they came to count."""
    if trial.kind == "watch":
        by = {"unit": config.rollout.watch.unit}
        config = config.model_copy(update={"decide": config.decide.model_copy(update=by)})
    cap = loss_cap(config, trial.champion.reference_sample()["label"])
    scale = usual_loss(config, trial.champion, cap)
    if not rows.order.size:
        nothing = np.empty(0)
        return paired(config, nothing, nothing, cap=cap, scale=scale, days=[])
    counted = rows.counted
    losses = [side_losses(config, counted, side, cap) for side in SIDES]
    days = counted["event_time"].to_numpy(dtype="datetime64[D]").astype(np.int64)
    return paired(config, losses[0], losses[1], cap=cap, scale=scale, days=days)


def side_losses(config: Config, counted: pd.DataFrame, side: Side, cap: float) -> Floats:
    """One model's loss on each row [rows], at most `cap`."""
    rows = by_side(config, counted, side)
    return row_losses(config, rows["label"], scores_in(config, rows), cap)


def usual_loss(config: Config, model: ModelVersion, cap: float) -> float:
    """The loss per row that a version is known for: on rows held out at its training.

    It is known before the trial's rows are, as the statistics want it.
    """
    held = model.held_sample()
    held = held[held["label"].notna()] if len(held) else held
    if len(held):
        return float(row_losses(config, held["label"], scores_in(config, held), cap).mean())
    metric = paired_metric(config)
    stated = model.manifest["metrics"].get(metric)
    if stated is None:
        return cap / 2
    return min(cap, {"accuracy": 1 - stated, "rmse": stated**2}.get(metric, stated))


def scores_in(config: Config, rows: pd.DataFrame) -> Floats:
    """The scores of answered rows: [rows], or for several classes [rows, classes]."""
    if config.label.kind != "multiclass":
        return floats(rows["score"])
    names = [f"score_{name}" for name in config.label.classes]
    return rows[names].to_numpy(np.float64, na_value=np.nan)


def rows_per_day(space: LoopSpace, now: dt.datetime) -> float:
    """Predictions a day: `decide.rows_per_day`, else by the newest four weeks of the log."""
    if space.config.decide.rows_per_day is not None:
        return space.config.decide.rows_per_day
    grain = space.config.partitions.grain
    known: Sequence[tuple[str, int]] = [
        (key, info.rows)
        for key, info in space.table("prediction_log").snapshot().partitions().items()
        if info.rows and partition_end(grain, key) <= now
    ]
    if not known:
        return 0.0
    last = partition_end(grain, known[-1][0])
    begin = max(partition_start(grain, known[0][0]), last - dt.timedelta(days=VOLUME_DAYS))
    rows = sum(rows for key, rows in known if partition_start(grain, key) >= begin)
    return rows / ((last - begin) / dt.timedelta(days=1))
