"""The report of a simulated period: one self-contained HTML page and the same numbers as JSON."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from feedback_assets.reports import charts
from feedback_assets.reports.files import replace_text
from feedback_assets.reports.pages import render_page, template_text
from feedback_assets.reports.shape import Decision, Simulation, Step, simulation_of
from feedback_assets.reports.words import (
    MEASURES,
    MISSING,
    ahead,
    amount,
    day,
    difference,
    kind_word,
    last_day,
    measures_of,
    period_word,
    share,
    span,
    story,
    version_name,
)

LISTED_STEPS = 400
SIGNS = {"retrain": "○", "promote": "▲", "refuse": "✕"}
VERDICT_WORDS = [
    ("stable", "stable"),
    ("drift", "drift"),
    ("broken", "broken column"),
    ("insufficient", "too few rows"),
]


def write_simulation_report(data: Mapping[str, Any], html: Path, json_path: Path) -> Simulation:
    """Write the page for people and the JSON for programs, each atomically.

    Args:
        data: the fields of `shape.Simulation`, as the JSON file will hold them.
        html: where the page goes; its folder is made.
        json_path: where the numbers go; the page links it by name, so keep both in one folder.

    Returns:
        The checked result that was written.

    Raises:
        pydantic.ValidationError: naming what in `data` is missing or wrong.
    """
    sim = simulation_of(data)
    replace_text(json_path, json.dumps(sim.to_json(), indent=1, allow_nan=False) + "\n")
    replace_text(html, simulation_page(sim, json_path.name))
    return sim


def simulation_page(sim: Simulation, json_name: str) -> str:
    """The page as HTML text; `json_name` is the file name that its footer links."""
    script = template_text("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    columns = len({c for step in sim.weeks for c in step.drift_columns})
    more = columns - charts.DRIFT_COLUMNS
    return render_page(
        "simulation.html.j2",
        sim=sim,
        css=Markup(template_text("report.css")),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=f"sha256-{digest}",
        eyebrow=_eyebrow(sim),
        story=story(sim),
        cards=_cards(sim),
        unit=period_word(sim.every_days, 1),
        performance=[_performance(sim, name) for name in measures_of(sim)[:2]],
        lanes=_both(lambda layout: charts.decisions(sim, layout)),
        drift=_both(lambda layout: charts.drift(sim, layout)),
        arrival=_both(lambda layout: charts.arrival(sim, layout)),
        arrival_words=_arrival_words(sim),
        verdicts=_verdicts_seen(sim),
        more_columns=amount(more, "further column") if more > 0 else "",
        rows=_decision_rows(sim),
        hidden=len(sim.decisions) > charts.LISTED_DECISIONS,
        decisions_words=_decisions_words(sim),
        measure_names=[MEASURES[name].name for name in measures_of(sim)],
        steps=[_step_row(sim, step) for step in sim.weeks[-LISTED_STEPS:]],
        tips=_tips(sim),
        json_name=quote(json_name),
    )


def _both(draw: Callable[[charts.Layout], Markup]) -> dict[str, Markup]:
    return {"wide": draw(charts.WIDE), "narrow": draw(charts.NARROW)}


def _performance(sim: Simulation, name: str) -> dict[str, Any]:
    measure = MEASURES[name]
    drawn = _both(lambda layout: charts.performance(sim, name, layout))
    return {"name": measure.name, "direction": measure.direction, **drawn}


def _eyebrow(sim: Simulation) -> str:
    end = last_day(sim.end) if sim.end > sim.start else sim.end
    unit = period_word(sim.every_days, len(sim.weeks))
    rows = sum(step.rows for step in sim.weeks)
    return (
        f"Simulation of {sim.name} · {day(sim.start, year=True)} to {day(end, year=True)} · "
        f"{len(sim.weeks)} {unit} · {rows:,} predictions"
    )


def _cards(sim: Simulation) -> list[dict[str, Any]]:
    cards = [_metric_card(sim, name) for name in measures_of(sim)[:3]]
    better, worse, compared = ahead(sim)
    units = period_word(sim.every_days, compared)
    level = compared - better - worse
    cards.append(
        {
            "name": "Ahead of frozen",
            "value": f"{better}",
            "unit": f"of {compared} {units}",
            "notes": [{"words": f"{level} level, {worse} behind"}],
        }
    )
    cards.append(
        {
            "name": "Promoted",
            "value": f"{sim.promotions}",
            "unit": f"of {sim.retrains} trained",
            "notes": [{"words": f"{sim.refusals} refused by the gate"}],
        }
    )
    return cards


def _metric_card(sim: Simulation, name: str) -> dict[str, Any]:
    measure = MEASURES[name]
    words, tone = difference(name, sim.loop, sim.frozen)
    return {
        "name": measure.name,
        "value": measure.say(sim.loop.get(name)),
        "tone": "loop",
        "notes": [
            {"words": words, "tone": tone},
            {"words": f"frozen {measure.say(sim.frozen.get(name))}"},
        ],
    }


def _arrival_words(sim: Simulation) -> str:
    arrived = sum(s.labels_arrived or 0 for s in sim.weeks)
    expected = sum(s.labels_expected or 0 for s in sim.weeks)
    return f"{arrived:,} arrived of {expected:,} expected ({share(arrived, expected)})"


def _verdicts_seen(sim: Simulation) -> list[tuple[str, str]]:
    seen = {charts.verdict_of(step) for step in sim.weeks} | {"stable", "drift"}
    by_days = sim.every_days > 1
    return [
        (word, f"{meaning} (stronger: on more days)" if word == "drift" and by_days else meaning)
        for word, meaning in VERDICT_WORDS
        if word in seen
    ]


def _decisions_words(sim: Simulation) -> str:
    return f"{sim.retrains} trained, {sim.promotions} promoted, {sim.refusals} refused"


def _decision_rows(sim: Simulation) -> list[dict[str, Any]]:
    numbered = list(enumerate(sim.decisions, start=1))[-charts.LISTED_DECISIONS :]
    rows = [_decision_row(number, decision) for number, decision in numbered]
    for row, following in pairwise(rows):
        row["joined"] = row["version"] == following["version"] != ""
    return rows


def _decision_row(number: int, decision: Decision) -> dict[str, Any]:
    return {
        "number": number,
        "joined": False,
        "day": day(decision.time, year=True),
        "kind": decision.kind if decision.kind in SIGNS else "other",
        "word": kind_word(decision.kind),
        "sign": SIGNS.get(decision.kind, "◆"),
        "version": version_name(decision.version),
        "cause": decision.cause,
        "reason": decision.reason,
        "numbers": [(k.replace("_", " "), _number(v)) for k, v in decision.numbers.items()],
    }


def _number(value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e5 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _step_row(sim: Simulation, step: Step) -> dict[str, Any]:
    measured = [(MEASURES[name], name) for name in measures_of(sim)]
    return {
        "span": span(step),
        "champion": version_name(step.champion),
        "rows": f"{step.rows:,}",
        "labels": share(step.labels_arrived, step.labels_expected),
        "measured": [m.say(side.get(n)) for m, n in measured for side in (step.loop, step.frozen)],
        "drift": ", ".join(step.drift_columns) or step.verdict or MISSING,
    }


def _tips(sim: Simulation) -> dict[str, Any]:
    """What the pointer shows: names once, then place, period and values of each step."""
    axis = charts.time_scale(sim, charts.WIDE)
    names = [MEASURES[name].name for name in measures_of(sim)[:2]]
    return {
        "names": [*names, "Predictions", "Labels arrived", "Champion", "Drift"],
        "steps": [[round(axis.share(s.middle), 4), span(s), _tip(sim, s)] for s in sim.weeks],
    }


def _tip(sim: Simulation, step: Step) -> list[str]:
    measured = [(MEASURES[name], name) for name in measures_of(sim)[:2]]
    shown = step.drift_columns[:4]
    more = f" and {len(step.drift_columns) - 4} more" if len(step.drift_columns) > 4 else ""
    return [
        *(f"{m.say(step.loop.get(n))} · frozen {m.say(step.frozen.get(n))}" for m, n in measured),
        f"{step.rows:,}",
        share(step.labels_arrived, step.labels_expected),
        version_name(step.champion) or MISSING,
        ", ".join(shown) + more if shown else charts.verdict_of(step),
    ]
