"""The page of an evaluation: candidate beside champion on the same rows, everything that gates ask."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from feedback_assets.config.schema import Config
from feedback_assets.reports.day_page import page_css
from feedback_assets.reports.evaluation_bars import (
    SIDES,
    calibration_chart,
    days_bar,
    flips_bar,
    gain_bar,
    pair_bars,
    share_bar,
    span_of_pairs,
)
from feedback_assets.reports.evaluation_words import (
    cards,
    columns_words,
    eyebrow,
    headline,
    limits,
    megabytes,
    milliseconds,
    outcome,
    signed_percent,
    story,
    versions,
)
from feedback_assets.reports.hrefs import safe_href
from feedback_assets.reports.pages import render_page, template_text
from feedback_assets.reports.plain import plain_text
from feedback_assets.reports.rows import Row, count, interval, metric_name, number, percent, said
from feedback_assets.reports.words import MISSING

SHOWN_SEGMENTS = 40
SHOWN_GROUPS = 30
SHOWN_PROTECTED = 20
_LOSSES = {"rmse": "squared error", "accuracy": "share of wrong answers", "mae": "absolute error"}


def evaluation_page(suite: Row, config: Config, links: Mapping[str, str] | None = None) -> str:
    """The page as HTML text: no script, nothing from outside.

    Args:
        suite: what `evaluation.suite.examine` gave.
        config: the loop's; the limits of its gates stand beside the figures.
        links: words -> relative address of another page; others are left out.

    Returns:
        A whole page; values of the data are shown as text only.
    """
    candidate, champion = versions(suite)
    hrefs = {plain_text(words): safe_href(href) for words, href in (links or {}).items()}
    word, tone = outcome(suite)
    segments, groups, asked = _segments(suite), _reliance(suite), limits(config.gate)
    return render_page(
        "evaluation.html.j2",
        css=page_css() + Markup(template_text("evaluation.css")),  # noqa: S704 - our own file
        title=f"{plain_text(config.title)}: evaluation of {candidate}",
        eyebrow=eyebrow(suite, config),
        headline=headline(suite),
        story=story(suite),
        outcome=word,
        tone=tone,
        cards=cards(suite, config),
        links={words: href for words, href in hrefs.items() if href},
        candidate=candidate,
        champion=champion,
        metric=metric_name(suite["metric"]),
        loss=_LOSSES.get(suite["loss"], metric_name(suite["loss"]).lower()),
        confidence=f"{suite['confidence']:.0%}",
        overall=_overall(suite),
        segments=segments[:SHOWN_SEGMENTS],
        more_segments=segments[SHOWN_SEGMENTS:],
        calibration=_calibration(suite, asked),
        churn=_churn(suite, config, asked),
        scenarios=_scenarios(suite),
        robustness_limit=asked["robustness"],
        groups=groups[:SHOWN_GROUPS],
        more_groups=groups[SHOWN_GROUPS:],
        retrained=any(a["how"] == "retrained" for a in suite["ablation"]),
        played=count(suite["played_rows"]),
        fairness=[_attribute(entry) for entry in suite["fairness"]],
        fairness_limits={"impact": asked["disparate_impact"], "opportunity": asked["equal_opportunity"]},
        weights=_weights(suite, asked),
        days=days_bar(suite["days"]),
        first_day=plain_text(next(iter(suite["days"]), "")),
        last_day=plain_text(next(reversed(suite["days"]), "")),
        digests=_digests(suite),
    )  # fmt: skip


def _overall(suite: Row) -> list[dict[str, Any]]:
    """The gate's metric first."""
    held = suite["overall"]
    return [
        {
            "name": metric_name(name),
            "main": name == suite["metric"],
            **_sides(held[name]),
            "champion_interval": interval(held[name]["champion_lower"], held[name]["champion_upper"]),
            "candidate_interval": interval(held[name]["candidate_lower"], held[name]["candidate_upper"]),
            **_gain(held[name], _reach([held[name]])),
        }
        for name in sorted(held, key=lambda n: n != suite["metric"])
    ]  # fmt: skip


def _segments(suite: Row) -> list[dict[str, Any]]:
    reach = _reach(suite["segments"])
    return [
        {
            "column": plain_text(row["column"], 60),
            "value": plain_text(row["value"], 60) or "(empty)",
            "rows": count(row["rows"]),
            "verdict": row["verdict"],
            **_sides(row),
            **_gain(row, reach),
        }
        for row in suite["segments"]
    ]


def _sides(row: Row) -> dict[str, str]:
    return {name: said(row[name]) for name in SIDES}


def _gain(row: Row, reach: float) -> dict[str, Any]:
    gain = number(row["improvement"])
    return {
        "gain": f"{'+' if gain > 0 else ''}{said(row['improvement'])}",
        "interval": interval(row["lower"], row["upper"]),
        "bar": gain_bar(gain, row["lower"], row["upper"], reach),
    }


def _reach(rows: Sequence[Row]) -> float:
    """What fills half of a gain's bar: the farthest end, though not beyond thrice the largest gain."""
    gains = [abs(number(r["improvement"])) for r in rows]
    ends = [abs(number(r[e])) for r in rows for e in ("lower", "upper")]
    largest = max((g for g in gains if math.isfinite(g)), default=0.0)
    farthest = max((e for e in ends if math.isfinite(e)), default=0.0)
    return min(farthest, 3 * largest) or farthest or largest


def _calibration(suite: Row, asked: Mapping[str, str]) -> dict[str, Any] | None:
    held = suite["calibration"]
    if not held:
        return None
    return {
        "chart": calibration_chart(held),
        "limit": asked["calibration"],
        "rows": [
            {"name": name, "error": said(held[name]["error"]), "chance": said(held[name].get("chance"))}
            for name in SIDES
            if held[name]
        ],
    }  # fmt: skip


def _churn(suite: Row, config: Config, asked: Mapping[str, str]) -> dict[str, Any] | None:
    held = suite["churn"]
    if not held:
        return None
    return {
        "bar": flips_bar(held),
        "changed": percent(held["changed_share"]),
        "worse": percent(held["negative_flips"]),
        "better": percent(held["positive_flips"]),
        "moved": said(held["mean_score_change"]),
        "changed_limit": asked["changed"],
        "worse_limit": asked["negative_flips"],
        "numeric": config.label.kind == "regression",
    }


def _scenarios(suite: Row) -> list[dict[str, Any]]:
    pairs = [
        {name: row[f"{name}_increase"] for name in SIDES} for row in suite["robustness"]
    ]  # fmt: skip
    span = span_of_pairs([value for pair in pairs for value in pair.values()])
    return [
        {
            "name": plain_text(row["name"]),
            "columns": columns_words(row["columns"]),
            **{name: signed_percent(pair[name]) for name in SIDES},
            "bar": pair_bars(pair, span, _heard(pair, signed_percent)),
        }
        for row, pair in zip(suite["robustness"], pairs, strict=True)
    ]


def _reliance(suite: Row) -> list[dict[str, Any]]:
    """Importance and worth of each group, the candidate's most important first."""
    worth = {row["group"]: row for row in suite["ablation"]}
    used = span_of_pairs([row[name] for row in suite["importance"] for name in SIDES])
    lost = span_of_pairs([row[name] for row in suite["ablation"] for name in SIDES])
    found = []
    for row in suite["importance"]:
        without = worth.get(row["group"], {})
        spread = {name: row[f"{name}_sd"] for name in SIDES}
        missing = dict.fromkeys(SIDES)
        found.append(
            {
                "group": plain_text(row["group"], 60),
                "features": columns_words(row["features"]) if len(row["features"]) > 1 else "",
                "used": _sides(row),
                "used_bar": pair_bars(row, used, _heard(row, said), spread),
                "lost": _sides({**missing, **without}),
                "lost_bar": pair_bars({**missing, **without}, lost, _heard({**missing, **without}, said)),
                "how": without.get("how", ""),
            }
        )  # fmt: skip
    return found


def _heard(pair: Row, say: Any) -> str:
    """Both values in words."""
    known = [f"{name} {say(pair[name])}" for name in SIDES if math.isfinite(number(pair[name]))]
    return ", ".join(known) or "not known"


def _attribute(entry: Row) -> dict[str, Any]:
    shown = entry["groups"][:SHOWN_PROTECTED]
    return {
        "attribute": plain_text(entry["attribute"], 60),
        "answer": "" if entry.get("answer", "1") == "1" else plain_text(entry["answer"], 60),
        "unknown": count(entry["unknown_rows"]) if entry.get("unknown_rows") else "",
        "figures": [
            {
                "name": name,
                "ideal": ideal,
                **{side: _bounded(entry[key][side]) for side in SIDES},
            }
            for name, key, ideal in (
                ("Disparate impact", "disparate_impact", "1 is alike"),
                ("Equal opportunity difference", "equal_opportunity_difference", "0 is alike"),
            )
        ],
        "left_out": len(entry["groups"]) - len(shown),
        "groups": [
            {
                "group": plain_text(group["group"], 60) or "(empty)",
                "rows": count(group["rows"]),
                "judged": group.get("judged", True),
                **{
                    kind: {name: percent(group[key][name]) for name in SIDES}
                    | {"bar": share_bar(group[key], _heard(group[key], percent))}
                    for kind, key in (
                        ("selected", "selection_rate"),
                        ("found", "true_positive_rate"),
                    )
                },
            }
            for group in shown
        ],
    }


def _bounded(figure: Row | None) -> dict[str, str]:
    if not figure:
        return {"value": MISSING, "interval": ""}
    return {"value": said(figure["value"]), "interval": interval(figure["lower"], figure["upper"])}


def _weights(suite: Row, asked: Mapping[str, str]) -> list[dict[str, str]]:
    """Time and memory of one model a column."""
    rows = [
        ("Time for one row, median", "latency", "p50_ms", milliseconds),
        ("95th percentile", "latency", "p95_ms", milliseconds),
        ("99th percentile", "latency", "p99_ms", milliseconds),
        ("File", "size", "file_mb", megabytes),
        ("Memory once loaded", "size", "memory_mb", megabytes),
    ]
    return [
        {
            "name": name,
            "limit": asked.get(key, ""),
            **{
                side: say(suite[part][side][key]) if suite[part][side] else MISSING
                for side in SIDES
            },
        }
        for name, part, key, say in rows
    ]


def _digests(suite: Row) -> list[tuple[str, str]]:
    found = [("Rows", suite["evaluation_digest"]), ("Candidate", suite["candidate"]["digest"])]
    if suite["champion"]:
        found.append(("Champion", suite["champion"]["digest"]))
    return [(name, plain_text(digest)) for name, digest in found]
