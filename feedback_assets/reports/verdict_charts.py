"""Charts of verdicts on a time axis: the metric, and which columns had moved when."""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise

from markupsafe import Markup

from feedback_assets.reports.axes import Layout, box, time_ticks, value_grid
from feedback_assets.reports.plain import plain_text
from feedback_assets.reports.rows import Row, chance, interval, metric_name, number, said
from feedback_assets.reports.scales import TimeScale, ValueScale, value_scale
from feedback_assets.reports.svg import (
    Point,
    group,
    polygon_path,
    polyline_path,
    shorten,
    tag,
    text,
)
from feedback_assets.reports.words import amount

CELL = 20
COLUMNS = 14
LAST_HOUR = dt.timedelta(hours=1)


def moment(key: str) -> dt.datetime | None:
    """When a partition begins; None for a key that is no date."""
    try:
        return dt.datetime.fromisoformat(key).replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def time_axis(keys: Sequence[str], layout: Layout) -> TimeScale | None:
    """The axis that holds every partition whole; None without a dated one."""
    times = sorted({t for t in map(moment, keys) if t is not None})
    if not times:
        return None
    gaps = [b - a for a, b in pairwise(times)]
    step = min(gaps, default=dt.timedelta(days=1))
    return TimeScale(
        layout.width, layout.left, layout.right, times[0], times[-1] + max(step, LAST_HOUR)
    )


class Days:
    """Partitions as slots on the time axis."""

    def __init__(self, keys: Sequence[str], axis: TimeScale) -> None:
        """Each slot is as wide as the closest two partitions are apart."""
        times = {key: t for key in keys if (t := moment(key)) is not None}
        ordered = sorted(set(times.values()))
        step = min(
            (b - a for a, b in pairwise(ordered)),
            default=axis.end - axis.start,
        )
        self.axis = axis
        self.width = (axis.last - axis.left) * (step / (axis.end - axis.start))
        self.left = {key: axis.x(t) for key, t in times.items()}

    def middle(self, key: str) -> float | None:
        """The x of a partition's middle; None if it is not on the axis."""
        left = self.left.get(key)
        return None if left is None else left + self.width / 2

    def cell(self, key: str, top: float, bottom: float) -> list[Point]:
        """The box of a partition between two heights."""
        gap = min(3.5, self.width * 0.25)
        return box(self.left[key] + gap / 2, max(self.width - gap, 0.6), top, bottom)


def metric_chart(
    rows: Sequence[Row], keys: Sequence[str], metric: str, marked: Sequence[str], layout: Layout
) -> Markup | None:
    """The metric by day: realised with its interval, estimated with its band, expected as a line.

    Args:
        rows: performance rows of the metric, one period, everything, all versions.
        keys: every partition on the axis.
        metric: the metric.
        marked: partitions whose ground is shaded.
        layout: its size.

    Returns:
        The panel; None if no value is known or no key is a date.
    """
    axis = time_axis(keys, layout)
    by_kind = {kind: _by_key(rows, kind) for kind in ("realised", "estimated")}
    known = [r for held in by_kind.values() for r in held.values()]
    values = [
        v for r in known for v in map(number, (r["value"], r["expected"])) if math.isfinite(v)
    ]
    if axis is None or not values:
        return None
    days, bottom = Days(keys, axis), layout.height - 40
    scale = value_scale([*values, *_ends(known, values)], 14, bottom)
    body = [
        value_grid(axis, scale),
        tag("path", d=polygon_path(_shades(days, marked, 14, bottom)), class_="shade"),
        *_estimated(by_kind["estimated"], days, scale),
        tag("path", d=polyline_path(_expected(known, days, scale)), class_="line expected-line"),
        *_realised(by_kind["realised"], days, scale),
    ]
    title = f"{metric_name(metric)} by day"
    words = "Realised with interval, estimated, and what was expected when the version was judged."
    return panel(body, bottom + 8, f"{metric}-{layout.name}", title, words, layout)


def status_chart(
    days_rows: Sequence[Row], column_rows: Sequence[Row], keys: Sequence[str],
    links: Mapping[str, str], layout: Layout,
) -> Markup | None:  # fmt: skip
    """Each day's verdict, and below it each moved column's, stronger where the evidence is.

    Args:
        days_rows: the days' own rows.
        column_rows: rows of whole columns that moved or were broken on some day.
        keys: every partition on the axis.
        links: partition key → address of the day's page.
        layout: its size.
    """
    axis = time_axis(keys, layout)
    if axis is None:
        return None
    days = Days(keys, axis)
    body = [_row_name("Verdict", axis, 21, layout, strong=True)]
    body += [
        _cell(row, days, 6, 6 + CELL, links)
        for row in days_rows
        if row["partition_key"] in days.left
    ]
    y = 6.0 + CELL + 8
    for column, held in _columns(column_rows)[:COLUMNS]:
        cells = [
            _cell(row, days, y + 2, y + CELL - 4, {})
            for row in held
            if row["partition_key"] in days.left
        ]
        body.append(group([_row_name(column, axis, y + 13, layout), *cells]))
        if layout.wide:
            body.append(text(axis.last + 12, y + 13, amount(len(held), "day"), class_="count"))
        y += CELL
    body.append(time_ticks(axis, y + 18))
    words = f"{len(_columns(column_rows))} columns moved on some of {len(days_rows)} days."
    return panel(body, y + 28, f"verdicts-{layout.name}", "Verdicts by day", words, layout)


def panel(
    body: list[Markup], height: float, name: str, title: str, words: str, layout: Layout
) -> Markup:
    """The parts as one chart that says what it shows."""
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", words, id=f"{name}-desc"),
        *body,
        viewBox=f"0 0 {layout.width:g} {height:g}",
        class_=f"chart {layout.name}",
        role="group",
        aria_labelledby=f"{name}-title {name}-desc",
    )


def _by_key(rows: Sequence[Row], kind: str) -> dict[str, Row]:
    known = [r for r in rows if r["kind"] == kind and math.isfinite(number(r["value"]))]
    return {r["partition_key"]: r for r in sorted(known, key=lambda r: str(r["partition_key"]))}


def _ends(rows: Sequence[Row], values: Sequence[float]) -> list[float]:
    """Ends of intervals, cut where a wide one would press all else into a line."""
    room = 1.5 * (max(values) - min(values)) or math.inf
    low, high = min(values) - room, max(values) + room
    ends = [number(r[end]) for r in rows for end in ("low", "high")]
    return [min(max(e, low), high) for e in ends if math.isfinite(e)]


def _shades(days: Days, marked: Sequence[str], top: float, bottom: float) -> list[list[Point]]:
    return [box(days.left[k], days.width, top, bottom) for k in marked if k in days.left]


def _places(rows: Mapping[str, Row], name: str, days: Days, scale: ValueScale) -> list[list[Point]]:
    """Runs of known points, oldest first; a day without a value parts two runs."""
    at = [
        (x, number(rows[key][name])) if key in rows else (x, math.nan)
        for key in sorted(days.left)
        if (x := days.middle(key)) is not None
    ]
    runs = groupby(at, key=lambda p: math.isfinite(p[1]))
    return [[(x, _clamp(scale, v)) for x, v in run] for known, run in runs if known]


def _clamp(scale: ValueScale, value: float) -> float:
    return min(max(scale.y(value), scale.top), scale.bottom)


def _estimated(rows: Mapping[str, Row], days: Days, scale: ValueScale) -> list[Markup]:
    lows, highs = _places(rows, "low", days, scale), _places(rows, "high", days, scale)
    bands = [
        low + high[::-1] for low, high in zip(lows, highs, strict=False) if len(low) == len(high)
    ]
    line = polyline_path(_places(rows, "value", days, scale))
    return [
        tag("path", d=polygon_path(bands), class_="band"),
        tag("path", d=line, class_="line estimated"),
    ]


def _realised(rows: Mapping[str, Row], days: Days, scale: ValueScale) -> list[Markup]:
    marks = []
    for key, row in rows.items():
        x, y = days.middle(key), _clamp(scale, number(row["value"]))
        if x is None:
            continue
        ends = number(row["low"]), number(row["high"])
        words = f"{plain_text(key)}: {said(row['value'])} {interval(*ends)}".strip()
        if all(map(math.isfinite, ends)):
            whisker = polyline_path([[(x, _clamp(scale, ends[0])), (x, _clamp(scale, ends[1]))]])
            marks.append(tag("path", d=whisker, class_="whisker"))
        marks.append(tag("circle", tag("title", words), cx=x, cy=y, r=3, class_="dot realised"))
    line = tag("path", d=polyline_path(_places(rows, "value", days, scale)), class_="line loop")
    return [line, *marks]


def _expected(rows: Sequence[Row], days: Days, scale: ValueScale) -> list[list[Point]]:
    """A level for each day, so that a new version's expectation is a step."""
    held = {r["partition_key"]: number(r["expected"]) for r in rows}
    known = [k for k in sorted(held) if math.isfinite(held[k]) and k in days.left]
    runs = []
    for value, run in groupby(known, key=lambda k: held[k]):
        keys = list(run)
        y = _clamp(scale, value)
        runs.append([(days.left[keys[0]], y), (days.left[keys[-1]] + days.width, y)])
    return runs


def _columns(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Columns with their moved days, those that moved first at the top."""
    held: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda r: str(r["partition_key"])):
        held.setdefault(plain_text(row["column_name"], 60), []).append(row)
    return sorted(held.items(), key=lambda item: (str(item[1][0]["partition_key"]), -len(item[1])))


def _row_name(
    name: str, axis: TimeScale, y: float, layout: Layout, *, strong: bool = False
) -> Markup:
    shown = shorten(name, layout.name_chars)
    kind = "name strong" if strong else "name"
    return tag(
        "text", tag("title", name), shown, x=axis.left - 12, y=y, class_=kind, text_anchor="end"
    )


def _cell(row: Row, days: Days, top: float, bottom: float, links: Mapping[str, str]) -> Markup:
    key, evidence = str(row["partition_key"]), number(row["evidence"])
    words = f"{plain_text(key)}: {plain_text(row['status'])}"
    if math.isfinite(evidence):
        words += f", chance of a false alarm {chance(evidence)}"
    elif plain_text(row["reason"]):
        words += f", {plain_text(row['reason'])}"
    strength = (
        0.55 + 0.45 * min(max(evidence / math.log(1e6), 0), 1) if math.isfinite(evidence) else 1
    )
    status = plain_text(row["status"])
    cell = tag("path", tag("title", words), d=polygon_path([days.cell(key, top, bottom)]),
               class_=f"verdict {status}", opacity=strength)  # fmt: skip
    return tag("a", cell, href=links[key], aria_label=words) if key in links else cell
