"""How an audit's facts are said: moments, versions, people, differences."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from feedback_assets.audit.document import Code, Picture, Section, Sheet
from feedback_assets.audit.forest import forest
from feedback_assets.reports.rows import interval, metric_name, said
from feedback_assets.reports.words import MISSING, amount, kind_word, version_name

UNKNOWN = "not recorded"
Json = Mapping[str, Any]


def moment(text: str | None) -> str:
    """A moment for people, in UTC.

    >>> moment("2024-01-05T06:07:08+00:00"), moment(None)
    ('2024-01-05 06:07 UTC', 'not recorded')
    """
    if not text:
        return UNKNOWN
    return f"{dt.datetime.fromisoformat(text).astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def day(text: str | None) -> str:
    """The day of a moment."""
    return moment(text)[:10] if text else UNKNOWN


def who(actor: str | None) -> str:
    """Who acted, as in `ada` or `the sensor flights_retrain`.

    >>> who("person:ada"), who("sensor:flights_retrain"), who("")
    ('ada', 'the sensor flights_retrain', 'not recorded')
    """
    if not actor:
        return UNKNOWN
    kind, _, name = actor.partition(":")
    return {"person": name, "sensor": f"the sensor {name}"}.get(kind, actor)


def version_word(version: str | int | None) -> str:
    """A version within a sentence."""
    return version_name(str(version)) if version not in (None, "") else "none"


def facts(**told: Any) -> tuple[tuple[str, str], ...]:
    """Facts by name, those that are not known left out; underscores become blanks."""
    return tuple(
        (name.replace("_", " "), value if isinstance(value, str) else f"{value:,}")
        for name, value in told.items()
        if value not in (None, "")
    )


def code(text: object) -> Code:
    """A digest, file or command; nothing where there is none."""
    return Code("" if text is None else text)


def metrics_sheet(comparison: Json) -> Sheet:
    """Both models' metrics, the deciding one first."""
    metrics: Json = comparison.get("metrics") or {}
    main = comparison.get("metric")
    rows = tuple(
        (
            metric_name(name) + (" *" if name == main else ""),
            said(held.get("champion"), 4),
            said(held.get("candidate"), 4),
            signed(held.get("improvement")),
            interval(held.get("lower"), held.get("upper")) or MISSING,
        )
        for name, held in sorted(metrics.items(), key=lambda pair: (pair[0] != main, pair[0]))
    )
    names = ("metric", "before", "this version", "better by", "interval")
    return Sheet(names, rows, frozenset({1, 2, 3}))


def metrics_picture(comparison: Json) -> tuple[Picture, ...]:
    """The improvements with their intervals, drawn; nothing where there is no interval."""
    metrics: Json = comparison.get("metrics") or {}
    drawn = forest(
        [
            (metric_name(name), held.get("improvement"), held.get("lower"), held.get("upper"))
            for name, held in metrics.items()
        ]
    )
    words = "Improvement by metric, each on its own scale; right of the line this version is better"
    return (Picture(words, svg=drawn),) if drawn else ()


def signed(value: float | None) -> str:
    """A difference with its sign.

    >>> signed(0.01234), signed(-2.0)
    ('+0.0123', '-2')
    """
    return MISSING if value is None else f"{'+' if value > 0 else ''}{said(value)}"


def gates_sheet(gates: Sequence[Json]) -> Sheet:
    """Every gate with what it saw and how far from its threshold; failed ones first."""
    rows = tuple(
        (
            gate["name"].replace("_", " "),
            _outcome(gate),
            said(gate.get("observed")),
            said(gate.get("threshold")),
            by_how_much(gate),
            gate.get("reason", ""),
        )
        for gate in sorted(gates, key=lambda gate: bool(gate["passed"]))
    )
    names = ("gate", "outcome", "observed", "threshold", "margin", "reason")
    return Sheet(names, rows, frozenset({2, 3, 4}))


def by_how_much(gate: Json) -> str:
    """How far a gate was passed or missed."""
    apart = gate.get("by")
    if not apart:
        return MISSING
    relative = apart["relative"]
    share = f" ({relative:.0%})" if relative is not None and relative < 100 else ""
    return f"{said(apart['absolute'])}{share}"


def decisions_sheet(told: Sequence[Json]) -> Sheet:
    """Decisions in their order."""
    rows = tuple(
        (
            moment(d["time"]),
            f"To {d['stage']}" if d["stage"] else kind_word(d["kind"]),
            version_word(d["version"]) if d["version"] else "",
            who(d["actor"]),
            d["reason"],
        )
        for d in told
    )
    return Sheet(("when", "decision", "version", "by", "reason"), rows)


def way_section(way: Sequence[Json]) -> Section:
    """The stages on the way into production."""
    rows = tuple(
        (
            str(step.get("stage")),
            moment(step.get("from")),
            moment(step.get("to")) if step.get("to") else MISSING,
            said(step.get("labels"), 6),
            said(step.get("requests"), 6),
            "passed over" if step.get("passed_over") else str(step.get("reason") or ""),
        )
        for step in way
    )
    names = ("stage", "from", "to", "labels", "requests", "remark")
    return Section(
        "The way in", amount(len(rows), "stage"), sheet=Sheet(names, rows, frozenset({3, 4}))
    )


def _outcome(gate: Json) -> str:
    if gate.get("overridden_by"):
        return f"overridden by {gate['overridden_by']}"
    return "passed" if gate["passed"] else "failed"
