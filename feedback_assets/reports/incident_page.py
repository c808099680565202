"""The page of an incident: how it went day by day, what it cost, why, and what the loop did."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from feedback_assets.reports import day_tables
from feedback_assets.reports.axes import NARROW, WIDE
from feedback_assets.reports.day_page import STATUS_WORDS, page_css
from feedback_assets.reports.day_view import MOVED
from feedback_assets.reports.day_words import (
    Answer,
    bad_lines,
    broken_promises,
    of_kind,
    slice_words,
    weak_words,
    whole,
    why_lines,
)
from feedback_assets.reports.facts import Deed, IncidentFacts
from feedback_assets.reports.files import replace_text
from feedback_assets.reports.hrefs import safe_href
from feedback_assets.reports.pages import render_page
from feedback_assets.reports.plain import plain_text
from feedback_assets.reports.rows import (
    Row,
    chance,
    interval,
    list_words,
    metric_name,
    metric_word,
    number,
    records,
    said,
)
from feedback_assets.reports.small_bars import split_bar
from feedback_assets.reports.verdict_charts import metric_chart, status_chart
from feedback_assets.reports.words import MISSING, amount, kind_word, version_name

SHOWN = 4


def incident_page(incident: IncidentFacts, path: Path) -> None:
    """Write an incident's page atomically; its folder is made.

    Args:
        incident: all that is known of it; frames may be empty.
        path: where the page goes, an .html file.
    """
    replace_text(path, incident_html(incident))


def incident_html(incident: IncidentFacts) -> str:
    """The page as HTML text: no script, nothing from outside."""
    drift = incident.drift[
        (incident.drift["against"] == incident.against).to_numpy(bool)
        & (incident.drift["status"].isin(MOVED) | (incident.drift["role"] == "day")).to_numpy(bool)
    ]
    days = sorted(records(drift, role="day"), key=lambda r: str(r["partition_key"]))
    moved = [r for r in records(drift) if r["role"] != "day"]
    during = [r for r in moved if r["partition_key"] in set(incident.days)]
    columns = _columns([r for r in during if not plain_text(r["segment"])])
    performance, findings = records(incident.performance), records(incident.findings)
    newest = [r for r in performance if r["partition_key"] == incident.days[-1]]
    promises = [r for r in records(incident.sla) if r["partition_key"] in set(incident.days)]
    last = [r for r in promises if r["partition_key"] == incident.days[-1]]
    return render_page(
        "incident.html.j2",
        css=page_css(),
        title=f"{plain_text(incident.title)}: incident of {plain_text(incident.days[0])}",
        eyebrow=_eyebrow(incident),
        headline=_headline(columns, promises),
        ongoing=incident.ongoing,
        answers=_answers(incident, columns, during, findings, newest, last),
        charts=_charts(incident, days, moved, performance),
        metric=metric_name(incident.metric),
        status_words=STATUS_WORDS,
        columns=[_told(held) for held in columns],
        split=_split(findings),
        compared=plain_text(incident.compared),
        assumptions=[plain_text(a, 600) for a in incident.assumptions],
        performance=day_tables.performance_rows(newest, incident.metric),
        segments=day_tables.slice_rows(newest, incident.metric, versions=False),
        promises=day_tables.promise_rows(last),
        findings=_findings(findings),
        deeds=[_deed(deed) for deed in incident.deeds],
        next_steps=[plain_text(step, 600) for step in incident.next_steps],
        days=[_day(row, incident) for row in days if row["partition_key"] in set(incident.days)],
        confidence=f"{incident.confidence:.0%}",
        newest=plain_text(incident.days[-1]),
    )


def _eyebrow(incident: IncidentFacts) -> str:
    first, last = plain_text(incident.days[0]), plain_text(incident.days[-1])
    period = first if first == last else f"{first} to {last}"
    parts = [plain_text(incident.title), period, amount(len(incident.days), "day")]
    if incident.reference:
        parts.append(f"against {plain_text(incident.reference)}")
    return " · ".join(parts)


def _columns(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each column by day; what costs most first, then what moved first."""
    held: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda r: str(r["partition_key"])):
        held.setdefault(str(row["column_name"]), []).append(row)
    return sorted(held.values(), key=lambda rs: (-_worst(rs), str(rs[0]["partition_key"])))


def _worst(rows: Sequence[Row]) -> float:
    impacts = [abs(number(r["impact"])) for r in rows]
    return max((i for i in impacts if math.isfinite(i)), default=0.0)


def _headline(columns: Sequence[Sequence[Row]], promises: list[Row]) -> str:
    broken = broken_promises(promises)
    names = list_words([plain_text(held[0]["column_name"], 40) for held in columns])
    metric = metric_word(str(broken[0]["metric"])) if broken else ""
    parts = [f"{names} moved"] if names else []
    parts += [f"{metric} missed its target"] if metric else []
    return ", and ".join(parts) or "Slices of the data moved"


def _answers(
    incident: IncidentFacts, columns: Sequence[Sequence[Row]], during: list[Row],
    findings: list[Row], newest: list[Row], promises: list[Row],
) -> list[Answer]:  # fmt: skip
    latest = [held[-1] for held in columns]
    evidence = [number(r["evidence"]) for r in during if math.isfinite(number(r["evidence"]))]
    since = sorted({plain_text(r["since"]) for r in during if plain_text(r["since"])})
    where = [weak_words(r) for r in of_kind(findings, "weak_slice")[:2]]
    slices = list(dict.fromkeys(slice_words(r) for r in during if plain_text(r["segment"])))
    where += [f"Moved in {list_words(slices)}"] if slices else []
    what = [f"{plain_text(r['column_name'], 40)}: {plain_text(r['size'])}" for r in latest[:SHOWN]]
    first = f"About {since[0]}" if since else plain_text(incident.days[0])
    state = "still going on" if incident.ongoing else f"over since {plain_text(incident.days[-1])}"
    sure = [f"Chance of a false alarm: {chance(max(evidence))}"] if evidence else [MISSING]
    next_steps = [plain_text(step) for step in incident.next_steps]
    return [
        Answer("What", what or ["A promise was missed."], "drift"),
        Answer("Since", [first, f"{amount(len(incident.days), 'day')}, {state}"]),
        Answer("How sure", sure),
        Answer("How bad", bad_lines(findings, whole(newest), promises, incident.metric)),
        Answer("Where", where or ["In no segment more than in others."]),
        Answer("Why, probably", why_lines(findings, latest)),
        Answer("What next", next_steps or ["Nothing is planned."]),
    ]


def _charts(
    incident: IncidentFacts, days: list[Row], moved: list[Row], performance: list[Row]
) -> dict[str, list[Markup]]:
    keys = sorted({*incident.days, *(str(r["partition_key"]) for r in days)})
    measured = [
        r for r in whole(performance) if r["metric"] == incident.metric and r["period"] == "day"
    ]
    columns = [r for r in moved if not plain_text(r["segment"])]
    links = {key: href for key, h in incident.pages.items() if (href := safe_href(h))}
    both = (WIDE, NARROW)
    metric = [metric_chart(measured, keys, incident.metric, incident.days, s) for s in both]
    status = [status_chart(days, columns, keys, links, s) for s in both]
    return {"metric": [m for m in metric if m], "status": [s for s in status if s]}


def _told(held: Sequence[Row]) -> dict[str, Any]:
    """A column over the incident: as it stands on its last moved day."""
    row = day_tables.column_rows(held[-1:])[0]
    first, last = plain_text(held[0]["partition_key"]), plain_text(held[-1]["partition_key"])
    return row | {"days": amount(len(held), "day"), "first": first, "last": last}


def _split(findings: list[Row]) -> list[dict[str, Any]]:
    """The parts of the worse metric in their order, the total last."""
    rows = [r for r in findings if r["kind"] == "drop_split"]
    parts = [r for r in rows if r["subject"] != "total"]
    ordered = [*parts, *(r for r in rows if r["subject"] == "total")]
    ends = [abs(number(r[n])) for r in ordered for n in ("value", "low", "high")]
    largest = max((e for e in ends if math.isfinite(e)), default=0.0)
    return [
        {
            "name": plain_text(r["subject"], 60),
            "total": r["subject"] == "total",
            "value": f"{'+' if number(r['value']) > 0 else ''}{said(r['value'])}",
            "interval": interval(r["low"], r["high"]),
            "bar": split_bar(number(r["value"]), number(r["low"]), number(r["high"]), largest),
        }
        for r in ordered
    ]


def _findings(findings: list[Row]) -> list[dict[str, str]]:
    """Once each, however many days told it."""
    once = {(r["kind"], plain_text(r["subject"])): r for r in findings if r["kind"] != "drop_split"}
    return day_tables.finding_rows(list(once.values()))


def _deed(deed: Deed) -> dict[str, str]:
    return {
        "day": plain_text(deed.day),
        "kind": plain_text(deed.kind),
        "word": kind_word(plain_text(deed.kind)),
        "version": version_name(plain_text(deed.version)),
        "reason": plain_text(deed.reason, 600),
    }


def _day(row: Row, incident: IncidentFacts) -> dict[str, str]:
    key = str(row["partition_key"])
    return {
        "key": plain_text(key),
        "href": safe_href(incident.pages.get(key, "")),
        "status": plain_text(row["status"]),
        "reason": plain_text(row["reason"], 600),
    }
