"""The figures of a model card, from the evaluation suite that judged the version."""

from collections.abc import Mapping, Sequence
from typing import Any

from feedback_assets.audit.document import Picture, Section, Sheet
from feedback_assets.audit.forest import forest
from feedback_assets.audit.words import facts, signed, version_word
from feedback_assets.config.schema import Config
from feedback_assets.reports.rows import interval, metric_name, percent, said
from feedback_assets.reports.words import MISSING, amount

Json = Mapping[str, Any]
SHOWN = 20
DRAWN = 12


def overall_section(suite: Json) -> Section:
    """Every metric, beside the champion's where there was one."""
    main = suite["metric"]
    rows = tuple(
        (
            metric_name(name) + (" *" if name == main else ""),
            said(held.get("candidate"), 4),
            interval(held.get("candidate_lower"), held.get("candidate_upper")) or MISSING,
            said(held.get("champion"), 4),
            signed(held.get("improvement")),
            interval(held.get("lower"), held.get("upper")) or MISSING,
        )
        for name, held in sorted(
            suite["overall"].items(), key=lambda pair: (pair[0] != main, pair[0])
        )
    )
    before = (suite.get("champion") or {}).get("version")
    days = sorted(suite["days"])
    names = (
        "metric",
        "this version",
        "interval",
        version_word(before),
        "better by",
        "interval of that",
    )
    return Section(
        "How good it is",
        f"{amount(suite['rows'], 'fresh row')} of {days[0]} to {days[-1]}; * decides"
        if days
        else amount(suite["rows"], "fresh row"),
        sheet=Sheet(names, rows, frozenset({1, 3, 4})),
    )


def segments_section(suite: Json | None) -> Section:
    """The largest segments, the worst against the champion first."""
    held: Sequence[Json] = (suite or {}).get("segments", [])
    ordered = sorted(held, key=lambda s: (s["verdict"] != "clearly worse", -s["rows"]))
    rows = tuple(
        (
            s["column"], s["value"], f"{s['rows']:,}", said(s.get("candidate"), 4),
            said(s.get("champion"), 4), signed(s.get("improvement")),
            interval(s.get("lower"), s.get("upper")) or MISSING, s["verdict"],
        )
        for s in ordered[:SHOWN]
    )  # fmt: skip
    drawn = forest(
        [
            (f"{s['column']} {s['value']}", s.get("improvement"), s.get("lower"), s.get("upper"))
            for s in ordered[:DRAWN]
        ],
        shared=True,
    )
    words = "Improvement over the version before by segment; left of the line it is worse"
    names = (
        "segment",
        "value",
        "rows",
        "this version",
        "before",
        "better by",
        "interval",
        "verdict",
    )
    return Section(
        "By segment",
        f"{len(rows)} of {len(held)}" if len(held) > SHOWN else "",
        pictures=(Picture(words, svg=drawn),) if drawn else (),
        sheet=Sheet(names, rows, frozenset({2, 3, 4, 5})),
    )


def fairness_section(suite: Json | None, config: Config) -> Section:
    """Protected groups, beside the limits of the loop's file."""
    found: Sequence[Json] = (suite or {}).get("fairness", [])
    return Section(
        "Fairness",
        limits_note(config),
        sheet=fairness_sheet(found, "candidate"),
        words=tuple(group_words(entry, "candidate") for entry in found),
    )


def limits_note(config: Config) -> str:
    """The limits that a gate asks for, in words; empty where none does."""
    asked = config.gate.fairness
    if asked is None:
        return ""
    least, most = asked.min_disparate_impact, asked.max_equal_opportunity_difference
    return f"asked: disparate impact at least {said(least)}, difference at most {said(most)}"


def fairness_sheet(found: Sequence[Json], arm: str) -> Sheet:
    """Both figures of each attribute with their intervals.

    Args:
        found: Entries of a suite's `fairness`.
        arm: Whose figures: `candidate`, `champion`, or another name that the entries use.
    """
    rows = []
    for entry in found:
        impact = (entry["disparate_impact"] or {}).get(arm) or {}
        apart = (entry["equal_opportunity_difference"] or {}).get(arm) or {}
        rows.append(
            (
                entry["attribute"], str(entry.get("answer", "1")), said(impact.get("value")),
                interval(impact.get("lower"), impact.get("upper")) or MISSING,
                said(apart.get("value")),
                interval(apart.get("lower"), apart.get("upper")) or MISSING,
            )
        )  # fmt: skip
    names = (
        "attribute", "positive answer", "disparate impact ratio", "interval",
        "equal opportunity difference", "interval",
    )  # fmt: skip
    return Sheet(names, tuple(rows), frozenset({2, 4}))


def group_words(entry: Json, arm: str) -> str:
    """Each group's rates in one line."""
    groups = [
        f"{g['group']} {percent((g['selection_rate'] or {}).get(arm))} positive answers, "
        f"{percent((g['true_positive_rate'] or {}).get(arm))} of the true ones found "
        f"({g['rows']:,} rows)"
        for g in entry["groups"]
    ]
    return f"{entry['attribute']}: {'; '.join(groups[:SHOWN])}"


def behaviour_section(suite: Json | None) -> Section:
    """Bad days, changed answers, calibration, speed and size."""
    if not suite:
        return Section("How it behaves")
    latency = (suite.get("latency") or {}).get("candidate") or {}
    size = (suite.get("size") or {}).get("candidate") or {}
    churn = suite.get("churn") or {}
    calibration = ((suite.get("calibration") or {}).get("candidate") or {}).get("error")
    rows = tuple(
        (s["name"], s["kind"], percent(s["candidate_increase"]), percent(s["champion_increase"]))
        for s in suite.get("robustness") or []
    )
    return Section(
        "How it behaves",
        facts=facts(
            calibration_error=said(calibration) if calibration is not None else None,
            one_row_takes=f"{said(latency['p50_ms'])} ms, 95th percentile {said(latency['p95_ms'])} ms"
            if latency.get("p95_ms") is not None
            else None,
            file=f"{said(size['file_mb'])} MB" if size.get("file_mb") is not None else None,
            memory=f"{said(size['memory_mb'])} MB" if size.get("memory_mb") is not None else None,
            answers_changed=percent(churn["changed_share"])
            if churn.get("changed_share") is not None
            else None,
            right_before_and_wrong_now=percent(churn["negative_flips"])
            if churn.get("negative_flips") is not None
            else None,
        ),
        sheet=Sheet(("bad day", "kind", "loss rises by", "before"), rows, frozenset({2, 3})),
    )


def reliance_section(suite: Json | None) -> Section:
    """Which features it leans on most."""
    held: Sequence[Json] = (suite or {}).get("importance", [])
    rows = tuple(
        (
            entry["group"],
            f"{said(entry['candidate'])} ± {said(entry.get('candidate_sd'))}",
            said(entry.get("champion")),
        )
        for entry in held[:SHOWN]
    )
    names = ("features", "loss rises when shuffled by", "before")
    return Section("What it leans on", sheet=Sheet(names, rows, frozenset({1, 2})))
