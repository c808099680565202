"""Each gate: a figure of the evaluation, or a fact of the data, held against the YAML file.

A gate answers for itself alone. None means that the file does not ask for it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from feedback_assets.config.gate import Metric
from feedback_assets.promotion.checked import (
    GateCheck,
    LabelAudit,
    Seen,
    at_least,
    at_most,
    failed,
    finite,
    passed,
)

SHOWN = 5
METRIC_WORDS: Mapping[Metric, str] = {
    "log_loss": "log loss",
    "brier": "Brier score",
    "roc_auc": "AUC",
    "accuracy": "accuracy",
    "f1": "F1",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "r2": "R²",
}


def better(seen: Seen) -> GateCheck | None:
    """The main metric is better beyond uncertainty."""
    name, gate, metric = "better", seen.config.gate, seen.config.metric
    if seen.first:
        return None
    gain, lower = (seen.number("overall", metric, figure) for figure in ("improvement", "lower"))
    before, after = (seen.number("overall", metric, who) for who in ("champion", "candidate"))
    least, rows = gate.min_improvement, seen.number("rows") or 0
    if gain is None or lower is None or before is None or after is None:
        reason = f"no data: {METRIC_WORDS[metric]} is not known on these {rows:,.0f} rows"
        return failed(name, reason, least)
    reason = (
        f"{METRIC_WORDS[metric]} {_figure(before)} → {_figure(after)}, "
        f"{'better' if gain >= 0 else 'worse'} by {_figure(abs(gain))} "
        f"({gate.confidence:.0%} lower bound {_figure(lower)}) on {rows:,.0f} rows"
    )
    if lower > least:
        return GateCheck(name, True, lower, least, reason)
    bound = f"the lower bound must exceed {least:g} (gate.min_improvement)"
    return GateCheck(name, False, lower, least, f"{reason}; {bound}")


def segments(seen: Seen) -> GateCheck | None:
    """No segment is clearly worse: even the good end of its interval lies beyond the margin."""
    name, gate = "segments", seen.config.gate
    if seen.first:
        return None
    if not seen.config.columns.segments:
        return passed(name, "no segments are declared (columns.segments)")
    judged = [row for row in seen.rows_of("segments") if row.get("verdict") != "shown only"]
    if not judged:
        return failed(
            name,
            f"no data: no segment has {gate.segment_min_rows:,} rows to be judged on "
            "(gate.segment_min_rows)",
            gate.segment_margin,
        )
    worse = [row for row in judged if row.get("verdict") == "clearly worse"]
    losses = [loss for row in judged if (loss := _sure_loss(row)) is not None]
    observed = max(losses, default=None)
    if not worse:
        return GateCheck(
            name,
            True,
            observed,
            gate.segment_margin,
            f"none of {len(judged)} segments clearly worse",
        )
    listed = ", ".join(
        f"{row['column']} {row['value']} ({_loss_words(row)})" for row in worse[:SHOWN]
    )
    more = f" and {len(worse) - SHOWN} more" if len(worse) > SHOWN else ""
    reason = (
        f"clearly worse in {listed}{more}; margin {gate.segment_margin:.0%} (gate.segment_margin)"
    )
    return GateCheck(name, False, observed, gate.segment_margin, reason)


def calibration(seen: Seen) -> GateCheck | None:
    """Probabilities mean what they say."""
    gate = seen.config.gate.calibration
    if gate is None:
        return None
    error = seen.number("calibration", "candidate", "error")
    what = "expected calibration error"
    return at_most("calibration", error, gate.max_error, what, "gate.calibration.max_error")


def latency(seen: Seen) -> GateCheck | None:
    """One row is answered fast enough."""
    gate = seen.config.gate.latency
    if gate is None:
        return None
    found = seen.number("latency", "candidate", "p95_ms")
    what = "95th percentile of the time for one row, ms"
    return at_most("latency", found, gate.p95_ms, what, "gate.latency.p95_ms")


def size(seen: Seen) -> GateCheck | None:
    """The file is small enough."""
    gate = seen.config.gate.size
    if gate is None:
        return None
    found = seen.number("size", "candidate", "file_mb")
    return at_most("size", found, gate.max_mb, "ONNX file, MB", "gate.size.max_mb")


def memory(seen: Seen) -> GateCheck | None:
    """It takes little enough memory once loaded."""
    gate = seen.config.gate.size
    if gate is None or gate.max_memory_mb is None:
        return None
    found = seen.number("size", "candidate", "memory_mb")
    return at_most(
        "memory", found, gate.max_memory_mb, "memory once loaded, MB", "gate.size.max_memory_mb"
    )


def churn(seen: Seen) -> GateCheck | None:
    """Answers do not change without need."""
    gate = seen.config.gate.churn
    if gate is None or seen.first:
        return None
    found = seen.number("churn", "changed_share")
    return at_most(
        "churn", found, gate.max_share, "share of changed answers", "gate.churn.max_share"
    )


def negative_flips(seen: Seen) -> GateCheck | None:
    """What was right stays right."""
    gate = seen.config.gate.churn
    if gate is None or gate.max_negative_flips is None or seen.first:
        return None
    found = seen.number("churn", "negative_flips")
    what = "share of rows that the champion gets right and the candidate wrong"
    field = "gate.churn.max_negative_flips"
    return at_most("negative_flips", found, gate.max_negative_flips, what, field)


def disparate_impact(seen: Seen) -> GateCheck | None:
    """Groups get positive answers about as often."""
    gate = seen.config.gate.fairness
    if gate is None:
        return None
    name, field = "disparate_impact", "gate.fairness.min_disparate_impact"
    problem, worst, where = _fairness(seen, name, worst=min)
    if problem:
        return failed(name, problem, gate.min_disparate_impact)
    what = f"smallest ratio of the groups' shares of positive answers ({where})"
    return at_least(name, worst, gate.min_disparate_impact, what, field)


def equal_opportunity(seen: Seen) -> GateCheck | None:
    """Groups that deserve a positive answer get it about as often."""
    gate = seen.config.gate.fairness
    if gate is None:
        return None
    name, field = "equal_opportunity", "gate.fairness.max_equal_opportunity_difference"
    problem, worst, where = _fairness(seen, "equal_opportunity_difference", worst=max)
    if problem:
        return failed(name, problem, gate.max_equal_opportunity_difference)
    what = f"largest difference of the groups' true positive rates ({where})"
    return at_most(name, worst, gate.max_equal_opportunity_difference, what, field)


def robustness(seen: Seen) -> GateCheck | None:
    """Bad input does not break it."""
    gate = seen.config.gate.robustness
    if gate is None:
        return None
    name = "robustness"
    # A scenario without columns found nothing in this loop that it could touch.
    played = [row for row in seen.rows_of(name) if row.get("columns")]
    if not played:
        return failed(name, "no data: no scenario was played (evaluation.scenarios)", gate.max_loss)
    untold = [
        str(row.get("name")) for row in played if finite(row.get("candidate_increase")) is None
    ]
    if untold:
        return failed(
            name, f"no data: the loss is not known with {', '.join(untold)}", gate.max_loss
        )
    worst = max(played, key=lambda row: float(row["candidate_increase"]))
    what = f"largest increase of the loss, relative ({worst.get('name')})"
    found = finite(worst["candidate_increase"])
    return at_most(name, found, gate.max_loss, what, "gate.robustness.max_loss")


def reliance(seen: Seen) -> GateCheck | None:
    """No feature group carries nearly all that the features are worth."""
    gate = seen.config.gate.reliance
    if gate is None:
        return None
    name = "reliance"
    groups = seen.rows_of("importance")
    worth = [finite(row.get("candidate")) for row in groups]
    known = [max(value, 0.0) for value in worth if value is not None]
    if not groups or len(known) < len(groups):
        return failed(name, "no data: what the features are worth is not known", gate.max_share)
    if not sum(known):
        return failed(name, "no data: shuffling any feature costs nothing", gate.max_share)
    share = max(known) / sum(known)
    most = groups[known.index(max(known))].get("group")
    what = f"share of the features' worth that {most} has alone"
    return at_most(name, share, gate.max_share, what, "gate.reliance.max_share")


def label_quality(seen: Seen) -> GateCheck | None:
    """Enough labels are right, by a sample that was labelled again."""
    gate, audit = seen.config.gate.label_quality, seen.facts.label_audit
    if gate is None:
        return None
    name, field = "label_quality", "gate.label_quality.min_share"
    if not gate.auditors and not seen.config.review.per_day:
        reason = (
            "no data: gate.label_quality.auditors names nobody's labels, "
            "and review.per_day asks nobody to audit"
        )
        return failed(name, reason, gate.min_share)
    if audit is None or audit.rows < gate.min_rows:
        rows = audit.rows if audit else 0
        reason = (
            f"no data: {rows:,} audited rows of {gate.min_rows:,} (gate.label_quality.min_rows)"
        )
        return failed(name, reason, gate.min_share)
    confidence = seen.config.gate.confidence
    lower = surely_right(audit, confidence)
    what = (
        f"share of right labels, {confidence:.0%} lower bound "
        f"({audit.right:,} of {audit.rows:,} audited rows are right)"
    )
    return at_least(name, lower, gate.min_share, what, field)


def rows(seen: Seen) -> GateCheck:
    """There are enough fresh rows, and the candidate answers each."""
    name, least = "rows", seen.config.gate.min_rows
    found, unscored = seen.number("rows"), seen.number("unscored", "candidate")
    if not found:
        return failed(name, "no data: there are no fresh rows", float(least))
    if unscored:
        reason = f"the candidate gives no score for {unscored:,.0f} of {found:,.0f} rows"
        return GateCheck(name, False, found, float(least), reason)
    if seen.first:
        return passed(name, f"{found:,.0f} fresh rows; no champion to be compared with")
    return at_least(name, found, float(least), "fresh rows", "gate.min_rows")


def data(seen: Seen) -> GateCheck | None:
    """The contract of the days learned from and judged on holds."""
    if seen.config.gate.data is None:
        return None
    problems = seen.facts.data_problems
    if problems is None:
        return failed("data", "no data: the contract of its days was not looked at")
    if not problems:
        return passed("data", "the contract holds on all days learned from and judged on")
    more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return failed("data", "; ".join(problems[:SHOWN]) + more)


def parity(seen: Seen) -> GateCheck | None:
    """The exported model reads the declared features and answers as the trained one does."""
    if seen.config.gate.parity is None:
        return None
    name, limit = "parity", seen.config.model.parity_tolerance
    if seen.facts.columns_problem:
        return failed(name, seen.facts.columns_problem, limit)
    what = "largest difference between the exported model and the estimator"
    return at_most(name, seen.facts.parity, limit, what, "model.parity_tolerance")


def surely_right(audit: LabelAudit, confidence: float) -> float:
    """Lower end of the one-sided exact interval of a share (Clopper & Pearson 1934).

    >>> round(surely_right(LabelAudit(rows=100, right=100), 0.95), 4)
    0.9705
    """
    from scipy.special import betaincinv

    if not audit.right:
        return 0.0
    return float(betaincinv(audit.right, audit.rows - audit.right + 1, 1 - confidence))


def _sure_loss(row: Mapping[str, Any]) -> float | None:
    """By how much a segment is worse at the good end of its interval, relative to the champion."""
    upper, before = finite(row.get("upper")), finite(row.get("champion"))
    return -upper / abs(before) if upper is not None and before else None


def _loss_words(row: Mapping[str, Any]) -> str:
    before, after = finite(row.get("champion")), finite(row.get("candidate"))
    if before is None or after is None:
        return "not known"
    sure = _sure_loss(row)
    return f"{_figure(before)} → {_figure(after)}" + (
        f", at least {sure:.1%} worse" if sure else ""
    )


def _fairness(seen: Seen, figure: str, worst: Any) -> tuple[str, float | None, str]:
    """Why nothing can be said; else the worst of all attributes, and in words where it is."""
    gate = seen.config.gate.fairness
    wanted: Sequence[str] = (gate.attributes if gate else []) or seen.config.columns.protected
    if not wanted:
        return "no data: columns.protected names no attribute", None, ""
    found: dict[str, float] = {}
    for attribute in wanted:
        rows = [row for row in seen.rows_of("fairness") if row.get("attribute") == attribute]
        values = [finite(_candidate(row, figure)) for row in rows]
        known = [value for value in values if value is not None]
        if not rows or len(known) < len(rows):
            least = gate.min_rows if gate else 0
            problem = (
                f"no data: the groups of {attribute} cannot be compared; two need {least:,} rows "
                "each (gate.fairness.min_rows)"
            )
            return problem, None, ""
        found[attribute] = worst(known)
    where = worst(found, key=found.__getitem__)
    return "", found[where], where


def _candidate(row: Mapping[str, Any], figure: str) -> Any:
    """The candidate's value of a fairness figure."""
    both = row.get(figure)
    mine = both.get("candidate") if isinstance(both, Mapping) else None
    return mine.get("value") if isinstance(mine, Mapping) else None


def _figure(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}"
