"""What a trigger's conditions ask of the rest of the loop's file."""

from collections.abc import Iterator

from feedback_assets.config.lines import Path
from feedback_assets.config.policy import Condition, LossCondition
from feedback_assets.config.schema import Config

REGRESSION = frozenset({"mae", "rmse", "r2", "mape", "pinball"})
"""Metrics of a regression; value fits every label, the others a classifier."""


def trigger_problems(config: Config) -> Iterator[tuple[Path, str]]:
    """Conditions that could never hold, by their path, with the way out."""
    for path, leaf in placed(config.trigger.when, ("trigger", "when")):
        if leaf.sla_streak is not None and not config.performance.sla:
            yield (*path, "sla_streak"), "performance.sla lists no promise that could be missed"
        if leaf.estimated_loss is not None and not config.performance.estimate:
            yield (*path, "estimated_loss"), "performance.estimate is off: nothing is estimated"
        for name, loss in (
            ("estimated_loss", leaf.estimated_loss),
            ("realised_loss", leaf.realised_loss),
        ):
            problem = _metric_problem(config, loss) if loss else None
            if problem:
                yield (*path, name, "metric"), problem


def placed(condition: Condition, path: Path) -> Iterator[tuple[Path, Condition]]:
    """The single conditions below `condition` with their paths in the file."""
    inside = (*path, "at_least", "of") if condition.at_least else (*path, condition.kind)
    for position, part in enumerate(condition.parts):
        yield from placed(part, (*inside, position))
    if not condition.parts:
        yield path, condition


def _metric_problem(config: Config, loss: LossCondition) -> str | None:
    metric, kind = loss.metric or config.metric, config.label.kind
    if metric != "value" and (metric in REGRESSION) != (kind == "regression"):
        return f"{metric} does not fit a {kind} label"
    if metric == "value" and not (config.kpi.values or config.kpi.expression):
        return "value needs kpi.values or kpi.expression"
    reported = config.performance.metrics
    if reported is not None and metric not in reported:
        return f"{metric} is not among performance.metrics: {', '.join(reported)}"
    return None
