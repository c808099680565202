"""The page of a trial: who is tried against whom, how sure one can be, and what is still missing."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from feedback_assets.reports.axes import NARROW, WIDE
from feedback_assets.reports.canary_charts import evidence_chart, gain_chart
from feedback_assets.reports.day_page import page_css
from feedback_assets.reports.day_words import Answer
from feedback_assets.reports.files import replace_text
from feedback_assets.reports.pages import render_page, template_text
from feedback_assets.reports.plain import plain_text
from feedback_assets.reports.rows import (
    Row,
    chance,
    count,
    interval,
    metric_word,
    number,
    percent,
    records,
    said,
)
from feedback_assets.reports.words import MISSING, amount, version_name

OUTCOMES = {
    "promote": "may take over",
    "wait": "not decided yet",
    "reject": "should go",
    "rollback": "roll back",
}
TONES = {"promote": "stable", "wait": "", "reject": "drift", "rollback": "broken"}
_EVIDENCE = (
    ("better", "log_better", "more than the gate asks"),
    ("safe", "log_safe", "not worse than the margin"),
    ("worse", "log_worse", "worse than the champion"),
)
_SIDES = ("champion", "challenger")
_LARGE = 1e6
"""e-values beyond are told by their power of ten."""


@dataclass(frozen=True)
class Rule:
    """One rule by which the present stage is left.

    Attributes:
        name: what it asks.
        needed: how much, in words.
        seen: how much there is, in words.
        met: whether it holds; None where it is not known yet.
    """

    name: str
    needed: str
    seen: str
    met: bool | None


@dataclass(frozen=True)
class CanaryFacts:
    """All that is known of a trial.

    Attributes:
        title: the loop's.
        look: the newest look, as `assets.trial.Look.to_dict` gives it.
        path: the evidence's path, a point each: labels, gain, lower, upper, log_better, ...
        history: rows of `canary_report` of this trial, one a day.
        rules: by which the stage is left.
        margin: loss per row that a safe challenger may be worse.
        alpha: largest probability of a false claim.
        confidence: of the KPI's intervals.
    """

    title: str
    look: Mapping[str, Any]
    path: Sequence[Mapping[str, Any]]
    history: pd.DataFrame
    rules: Sequence[Rule]
    margin: float
    alpha: float
    confidence: float = 0.95


def canary_page(facts: CanaryFacts, path: Path) -> None:
    """Write a trial's page atomically; its folder is made.

    Args:
        facts: all that is known of it.
        path: where the page goes, an .html file.
    """
    replace_text(path, canary_html(facts))


def canary_html(facts: CanaryFacts) -> str:
    """The page as HTML text: no script, nothing from outside."""
    look = facts.look
    outcome = str(look["verdict"]["outcome"])
    both = (WIDE, NARROW)
    charts = {
        "gain": [gain_chart(facts.path, facts.margin, size) for size in both],
        "evidence": [evidence_chart(facts.path, facts.alpha, size) for size in both],
    }
    return render_page(
        "canary.html.j2",
        css=page_css() + Markup(template_text("canary.css")),  # noqa: S704 - our own file
        title=f"{plain_text(facts.title)}: {look['trial']}",
        eyebrow=_eyebrow(facts),
        headline=headline(look),
        outcome=OUTCOMES.get(outcome, plain_text(outcome)),
        tone=TONES.get(outcome, ""),
        answers=_answers(facts),
        charts={name: [c for c in drawn if c] for name, drawn in charts.items()},
        metric=metric_word(str(look["paired"]["metric"])),
        rules=[_rule(rule) for rule in facts.rules],
        sides=[_side(look, side) for side in _SIDES],
        evidence=[_evidence(look, *one) for one in _EVIDENCE],
        service=_service(look["service"]),
        shadow=_shadow(look["service"]),
        kpi=_kpi(look["kpi"]),
        confidence=f"{facts.confidence:.0%}",
        alpha=f"{facts.alpha:.0%}",
        days=[_day(row) for row in reversed(records(facts.history))],
        watch=look["kind"] == "watch",
    )


def headline(look: Mapping[str, Any]) -> str:
    """The state of the trial in one sentence."""
    challenger, champion = (version_name(str(look[name])) for name in ("challenger", "champion"))
    outcome = look["verdict"]["outcome"]
    if look["kind"] == "watch":
        if outcome == "rollback":
            return f"{challenger} is worse than {champion}, which it replaced"
        return f"{challenger} serves; nothing proves it worse than {champion}"
    words = {
        "promote": f"{challenger} may take the place of {champion}",
        "reject": f"{challenger} should not take the place of {champion}",
    }
    return words.get(outcome, f"{challenger} is tried against {champion}")


def _eyebrow(facts: CanaryFacts) -> str:
    look = facts.look
    parts = [
        plain_text(facts.title),
        f"{plain_text(look['stage'])} since {_minute(look['since'])}",
        f"as of {_minute(look['as_of'])}",
    ]
    return " · ".join(parts)


def _minute(moment: str) -> str:
    return plain_text(moment)[:16].replace("T", " ")


def _answers(facts: CanaryFacts) -> list[Answer]:
    look, paired = facts.look, facts.look["paired"]
    missing = [
        f"{plain_text(rule.name)}: {plain_text(rule.seen)} ({plain_text(rule.needed)})"
        for rule in facts.rules
        if not rule.met
    ]
    tone = TONES.get(str(look["verdict"]["outcome"]), "")
    known = math.isfinite(number(paired["gain"]))
    gain = [said(paired["gain"]), interval(paired["lower"], paired["upper"])] if known else []
    return [
        Answer("Verdict", [plain_text(look["verdict"]["reason"], 600)], tone),
        Answer(
            "Labels",
            [count(look["labels"]), f"of {amount(int(look['predictions']), 'prediction')}"],
        ),
        Answer("Gain per row", [line for line in gain if line] or [MISSING]),
        Answer("How sure", [f"{name}: {chance(paired[key])}" for name, key, _ in _EVIDENCE]),
        Answer("Service", _service_lines(look["service"])),
        Answer("Business", _kpi_lines(look["kpi"])),
        Answer(
            "Missing for a rollback" if look["kind"] == "watch" else "Still missing",
            missing or ["Nothing: every rule of this stage is met."],
        ),
    ]


def _service_lines(service: Mapping[str, Any] | None) -> list[str]:
    if service is None:
        return ["Nobody asked the service.", "The logged rows are scored instead."]
    arm = service["challenger"]
    if not arm:
        asked = count(service["champion"]["requests"])
        return [f"{asked} requests, none for the challenger."]
    excess, ratio = number(service["error_excess"]), number(service["latency_ratio"])
    lines = [amount(int(arm["requests"]), "request")]
    if math.isfinite(excess):
        lines.append(f"{excess:+.2%} answered by others, against the champion")
    if math.isfinite(ratio):
        lines.append(f"95th percentile {ratio:.2g} times the champion's")
    return lines


def _kpi_lines(kpi: Mapping[str, Any] | None) -> list[str]:
    if kpi is None:
        return ["Not known.", "kpi.values or kpi.expression say what an answer is worth."]
    realised = number(kpi["gain"]["value"])
    unit = plain_text(kpi["unit"]) or "worth"
    if math.isfinite(realised):
        ends = interval(kpi["gain"]["low"], kpi["gain"]["high"])
        return [f"{realised:+.3g} {unit} per answer", f"{ends}, realised" if ends else "realised"]
    guess = _estimated_gain(kpi)
    if math.isfinite(guess):
        return [f"{guess:+.3g} {unit} per answer", "estimated: no label yet"]
    return ["Not known yet."]


def _estimated_gain(kpi: Mapping[str, Any]) -> float:
    values = [number(kpi[side]["estimated"]["value"]) for side in ("challenger", "champion")]
    return values[0] - values[1]


def _rule(rule: Rule) -> dict[str, str]:
    state = {True: "kept", False: "missed", None: "open"}[rule.met]
    words = {"kept": "met", "missed": "not met", "open": "not known yet"}[state]
    texts = {name: plain_text(getattr(rule, name)) for name in ("name", "needed", "seen")}
    return texts | {"state": state, "word": words}


def _side(look: Mapping[str, Any], side: str) -> dict[str, str]:
    paired = look["paired"]
    loss = paired["champion_loss" if side == "champion" else "candidate_loss"]
    return {"name": side, "version": version_name(str(look[side])), "loss": said(loss, 4)}


def _evidence(look: Mapping[str, Any], name: str, key: str, words: str) -> dict[str, str]:
    value = number(look["paired"][key])
    e = math.exp(min(value, 700.0)) if math.isfinite(value) else math.nan
    told = f"{e:.1e}" if e > _LARGE else said(e)
    return {"name": name, "words": words, "e": told, "chance": chance(value)}


def _service(service: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if service is None:
        return []
    return [
        {
            "name": side,
            "requests": count(arm["requests"]),
            "others": count(arm["others"]),
            "share": percent(arm["others"] / arm["requests"]) if arm["requests"] else MISSING,
            "times": [_ms(arm[name]) for name in ("p50_ms", "p95_ms", "p99_ms")],
            "warnings": [
                f"{plain_text(text)}: {count(n)}" for text, n in dict(arm["warnings"]).items()
            ],
        }
        for side in _SIDES
        if (arm := service[side])
    ]


def _shadow(service: Mapping[str, Any] | None) -> str:
    """What the service's own scores of the challenger say beside those from the log."""
    shadow = service["shadow"] if service else None
    if not shadow:
        return ""
    words = f"The service made {amount(int(shadow['scores']), 'score')} of the challenger"
    if not shadow["compared"]:
        return f"{words}; none of these rows was scored from the log."
    agreeing = percent(shadow["agreeing"] / shadow["compared"])
    return (
        f"{words}; {agreeing} of the {count(shadow['compared'])} that were scored from the log, too, "
        f"agree (largest difference {said(shadow['largest_difference'])})."
    )


def _ms(value: Any) -> str:
    known = number(value)
    return f"{known:,.1f} ms" if math.isfinite(known) else MISSING


def _kpi(kpi: Mapping[str, Any] | None) -> dict[str, Any]:
    if kpi is None:
        return {}
    return {
        "name": plain_text(kpi["name"]),
        "unit": plain_text(kpi["unit"]),
        "rows": count(kpi["rows"]),
        "labels": count(kpi["labels"]),
        "maturity": percent(kpi["maturity"]),
        "sides": [
            {
                "name": side,
                **{kind: _measured(kpi[side][kind]) for kind in ("estimated", "realised")},
            }
            for side in _SIDES
        ],
        "gain": {"estimated": said(_estimated_gain(kpi)), "realised": _measured(kpi["gain"])},
    }


def _measured(found: Mapping[str, Any]) -> dict[str, str]:
    return {"value": said(found["value"]), "interval": interval(found["low"], found["high"])}


def _day(row: Row) -> dict[str, str]:
    return {
        "key": plain_text(row["as_of"])[:10],
        "stage": plain_text(row["stage"]),
        "labels": count(row["labels"]),
        "gain": said(row["gain"]),
        "interval": interval(row["gain_low"], row["gain_high"]),
        "requests": count(row["challenger_requests"]),
        "outcome": OUTCOMES.get(str(row["verdict"]), plain_text(row["verdict"])),
        "tone": TONES.get(str(row["verdict"]), ""),
        "reason": plain_text(row["reason"], 600),
    }
