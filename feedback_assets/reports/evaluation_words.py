"""What an evaluation says, in words: the headline, and the figures that come first."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from feedback_assets.config.gate import Gate
from feedback_assets.config.schema import Config
from feedback_assets.reports.plain import plain_text
from feedback_assets.reports.rows import (
    Row,
    interval,
    list_words,
    metric_name,
    metric_word,
    number,
    percent,
    said,
)
from feedback_assets.reports.words import MISSING, amount, version_name


@dataclass(frozen=True)
class Card:
    """One figure: its name, its value, and a note with its tone (better, worse or nothing)."""

    name: str
    value: str
    note: str = ""
    tone: str = ""


def versions(suite: Row) -> tuple[str, str]:
    """The candidate and the champion as people say them; the champion empty if there is none."""
    champion = suite["champion"]
    return _named(suite["candidate"]), _named(champion) if champion else ""


def _named(model: Row) -> str:
    return version_name(plain_text(model["version"], 40)) or plain_text(model["digest"], 12)


def eyebrow(suite: Row, config: Config) -> str:
    """What was examined, on what."""
    candidate, champion = versions(suite)
    pair = f"{candidate} against {champion}" if champion else f"{candidate}, the first model"
    parts = [plain_text(config.title), pair, amount(suite["rows"], "row")]
    parts.append(amount(len(suite["days"]), "day"))
    if suite["as_of"]:
        parts.append(f"as known at {plain_text(suite['as_of'])[:16].replace('T', ' ')}")
    return " · ".join(parts)


def outcome(suite: Row) -> tuple[str, str]:
    """The main metric's result in a word, and its tone: better, worse, open or first."""
    main = suite["overall"][suite["metric"]]
    if suite["champion"] is None:
        return "no champion yet", "first"
    if number(main["lower"]) > 0:
        return "better beyond chance", "better"
    if number(main["upper"]) < 0:
        return "worse beyond chance", "worse"
    return "not told apart", "open"


def headline(suite: Row) -> str:
    """The main metric of both in one sentence."""
    candidate, champion = versions(suite)
    metric, main = metric_name(suite["metric"]), suite["overall"][suite["metric"]]
    if not math.isfinite(number(main["candidate"])):
        broken = suite["unscored"]["candidate"]
        why = f"{candidate} gives no score for {amount(broken, 'row')}" if broken else "not defined"
        return f"{metric} can not be said: {why}"
    if not champion:
        return f"{metric} of {candidate}: {said(main['candidate'])}"
    gain = number(main["improvement"])
    word = {"better": "better", "worse": "worse"}.get(outcome(suite)[1])
    both = f"{said(main['candidate'])} against {said(main['champion'])}"
    if word:
        return f"{candidate} is {word} than {champion}: {metric_word(suite['metric'])} {both}"
    seem = "a little better" if gain > 0 else "a little worse"
    return f"{candidate} looks {seem} than {champion}, but chance explains it: {both}"


def story(suite: Row) -> str:
    """The second sentence: by how much, and what stands out."""
    main, parts = suite["overall"][suite["metric"]], []
    ends = interval(main["lower"], main["upper"])
    if suite["champion"] and ends:
        gain = number(main["improvement"])
        way = "better" if gain >= 0 else "worse"
        parts.append(
            f"{metric_name(suite['metric'])} is {way} by {said(abs(gain))}"
            f" (improvement {ends}, each end at {suite['confidence']:.0%})."
        )
    worse = [s for s in suite["segments"] if s["verdict"] == "clearly worse"]
    if worse:
        names = [f"{plain_text(s['column'], 40)} {plain_text(s['value'], 40)}" for s in worse]
        parts.append(f"Clearly worse in {list_words(names)}.")
    elif suite["champion"] and any(s["verdict"] == "ok" for s in suite["segments"]):
        parts.append("No segment is clearly worse.")
    if suite["churn"] and math.isfinite(number(suite["churn"]["negative_flips"])):
        parts.append(
            f"{percent(suite['churn']['negative_flips'])} of the answers were right before"
            " and are wrong now."
        )
    if suite.get("selective"):
        words = plain_text(suite["selective"], 600)
        parts.append(f"{words[:1].upper()}{words[1:]}.")
    return " ".join(parts)


def cards(suite: Row, config: Config) -> list[Card]:
    """The figures that come first, each with the gate's limit where it has one."""
    asked, found = limits(config.gate), [_main_card(suite)]
    if suite["churn"]:
        changed = percent(suite["churn"]["changed_share"])
        found.append(Card("Answers that change", changed, asked["changed"]))
    if suite["calibration"]:
        held = suite["calibration"]["candidate"]
        chance = f"{said(held['chance'])} would be chance"
        found.append(Card("Calibration error", said(held["error"]), asked["calibration"] or chance))
    worst = max((number(s["candidate_increase"]) for s in suite["robustness"]), default=math.nan)
    found.append(
        Card("Worst bad day", signed_percent(worst), asked["robustness"] or "loss that it adds")
    )
    if suite["fairness"]:
        ratios = [number(f["disparate_impact"]["candidate"]["value"]) for f in suite["fairness"]]
        lowest = min((r for r in ratios if math.isfinite(r)), default=math.nan)
        note = asked["disparate_impact"] or "1 is alike"
        found.append(Card("Disparate impact", said(lowest), note))
    p95 = milliseconds(suite["latency"]["candidate"]["p95_ms"])
    return [*found, Card("One row, 95th percentile", p95, asked["p95_ms"])]


def _main_card(suite: Row) -> Card:
    main = suite["overall"][suite["metric"]]
    gain = number(main["improvement"])
    if not math.isfinite(gain):
        ends = interval(main["candidate_lower"], main["candidate_upper"])
        return Card(metric_name(suite["metric"]), said(main["candidate"]), ends)
    tone = outcome(suite)[1]
    way = "better" if gain >= 0 else "worse"
    note = f"{said(abs(gain))} {way} than {said(main['champion'])}"
    return Card(metric_name(suite["metric"]), said(main["candidate"]), note, tone)


def limits(gate: Gate) -> dict[str, str]:
    """What the gates ask for, in words by the figure; nothing where they ask nothing."""
    calibration, churn, fair = gate.calibration, gate.churn, gate.fairness
    weight, speed = gate.size, gate.latency
    asked: dict[str, tuple[float | None, Callable[[Any], str]]] = {
        "calibration": (calibration.max_error if calibration else None, said),
        "changed": (churn.max_share if churn else None, percent),
        "negative_flips": (churn.max_negative_flips if churn else None, percent),
        "disparate_impact": (fair.min_disparate_impact if fair else None, said),
        "equal_opportunity": (fair.max_equal_opportunity_difference if fair else None, said),
        "robustness": (gate.robustness.max_loss if gate.robustness else None, signed_percent),
        "p95_ms": (speed.p95_ms if speed else None, milliseconds),
        "file_mb": (weight.max_mb if weight else None, megabytes),
        "memory_mb": (weight.max_memory_mb if weight else None, megabytes),
    }
    return {
        name: ""
        if value is None
        else f"the gate asks for at {'least' if name == 'disparate_impact' else 'most'} {say(value)}"
        for name, (value, say) in asked.items()
    }


def milliseconds(value: Any) -> str:
    """A time in milliseconds."""
    known = number(value)
    return f"{said(known)} ms" if math.isfinite(known) else MISSING


def megabytes(value: Any) -> str:
    """A size in megabytes."""
    known = number(value)
    return f"{said(known)} MB" if math.isfinite(known) else MISSING


def signed_percent(value: Any) -> str:
    """A relative change, with its sign.

    >>> signed_percent(0.123), signed_percent(-0.5)
    ('+12%', '-50%')
    """
    known = number(value)
    return f"{known:+,.0%}" if math.isfinite(known) else MISSING


def columns_words(columns: Sequence[str]) -> str:
    """The columns that a scenario touched, shortly."""
    names = [plain_text(c, 40) for c in columns]
    return list_words(names, 4) if names else "nothing to touch"
