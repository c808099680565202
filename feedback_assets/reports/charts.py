"""The panels of a simulation report: inline SVG on one shared time axis."""

import datetime as dt
from collections import Counter
from itertools import groupby, pairwise

from markupsafe import Markup

from feedback_assets.reports.axes import NARROW as NARROW
from feedback_assets.reports.axes import WIDE as WIDE
from feedback_assets.reports.axes import Layout, box, time_ticks, value_grid
from feedback_assets.reports.scales import TimeScale, ValueScale, value_scale
from feedback_assets.reports.shape import Simulation, Step
from feedback_assets.reports.svg import (
    Point,
    group,
    line,
    polygon_path,
    polyline_path,
    shorten,
    tag,
    text,
)
from feedback_assets.reports.words import (
    KINDS,
    MEASURES,
    VERDICTS,
    amount,
    decision_title,
    kind_word,
    kinds_of,
    period_word,
    share,
    span,
    version_name,
)

LANE = 26
CELL = 20
DRIFT_COLUMNS = 10
LISTED_DECISIONS = 150
SPOKEN = 100
GUIDES = 60
DENSE = 120


def time_scale(sim: Simulation, layout: Layout) -> TimeScale:
    """The shared time axis: the replayed period, stretched to hold every step."""
    start = min([sim.start, *(s.start for s in sim.weeks)])
    end = max([sim.end, *(s.end for s in sim.weeks)])
    if end <= start:
        end = start + dt.timedelta(days=1)
    return TimeScale(layout.width, layout.left, layout.right, start, end)


def performance(sim: Simulation, metric: str, layout: Layout) -> Markup:
    """The metric step by step, loop against frozen, with the promotions as guides."""
    axis, measure = time_scale(sim, layout), MEASURES[metric]
    loop = [(s, s.loop.get(metric)) for s in sim.weeks]
    frozen = [(s, s.frozen.get(metric)) for s in sim.weeks]
    values = [v for _, v in [*loop, *frozen] if v is not None]
    scale = value_scale(values, 14, layout.height)
    ours, theirs = _runs(loop, axis, scale), _runs(frozen, axis, scale)
    better, worse = _between(ours, theirs, lower=measure.lower_is_better)
    dense = " dense" if len(sim.weeks) > DENSE else ""
    body = [
        value_grid(axis, scale),
        _guides(sim, axis, 14, layout.height),
        tag("path", d=polygon_path(better), class_="gain"),
        tag("path", d=polygon_path(worse), class_="loss"),
        tag("path", d=polyline_path(theirs), class_=f"line frozen{dense}"),
        tag("path", d=polyline_path(ours), class_=f"line loop{dense}"),
        _dots(theirs, "dot frozen", layout),
        _dots(ours, "dot loop", layout),
        *(_end_labels(ours, theirs, axis) if layout.wide else []),
        time_ticks(axis, layout.height + 20),
    ]
    title = f"{measure.name} of the loop and of the frozen model"
    description = f"{measure.direction}. The table of steps below holds the same numbers."
    return _panel(body, layout.height + 30, f"{metric}-{layout.name}", title, description, axis)


def decisions(sim: Simulation, layout: Layout) -> Markup:
    """A lane for each kind of decision, every mark a link to its row, over the champion's reign."""
    axis = time_scale(sim, layout)
    kinds, top = kinds_of(sim), 4
    bottom = top + LANE * len(kinds)
    body = [_guides(sim, axis, top, bottom + 24)]
    for row, kind in enumerate(kinds):
        y = top + LANE * row + LANE / 2
        marks = [i for i, decision in enumerate(sim.decisions) if decision.kind == kind]
        body += [
            text(
                axis.left - 12,
                y + 4,
                shorten(kind_word(kind), layout.name_chars),
                class_="name",
                text_anchor="end",
            ),
            line(axis.left, y, axis.last, y, class_="grid"),
            *(_mark(sim, i, axis.x(sim.decisions[i].time), y) for i in marks),
        ]
        if layout.wide:
            body.append(text(axis.last + 12, y + 4, f"{len(marks)}", class_="count"))
    body += [
        text(axis.left - 12, bottom + 16, "Champion", class_="name", text_anchor="end"),
        *_reigns(sim.weeks, axis, bottom + 2),
        time_ticks(axis, bottom + 44),
    ]
    title = "Every decision of the loop"
    description = (
        f"{sim.retrains} trained, {sim.promotions} promoted, {sim.refusals} refused; "
        "below them which version served when."
    )
    return _panel(body, bottom + 54, f"decisions-{layout.name}", title, description, axis)


def arrival(sim: Simulation, layout: Layout) -> Markup:
    """Labels expected and arrived by step, as bars."""
    axis = time_scale(sim, layout)
    height = 130.0 if layout.wide else 110.0
    counts = [float(n) for s in sim.weeks for n in (s.labels_expected, s.labels_arrived) if n]
    scale = value_scale(counts, 14, height, wanted=3, zero=True)
    body = [value_grid(axis, scale)]
    for name in ("labels_expected", "labels_arrived"):
        known = [(s, getattr(s, name)) for s in sim.weeks if getattr(s, name)]
        bars = [box(*_slot(s, axis), scale.y(count), height) for s, count in known]
        body.append(tag("path", d=polygon_path(bars), class_=name.removeprefix("labels_")))
    body.append(time_ticks(axis, height + 20))
    arrived = sum(s.labels_arrived or 0 for s in sim.weeks)
    expected = sum(s.labels_expected or 0 for s in sim.weeks)
    description = f"{arrived:,} of {expected:,} labels arrived ({share(arrived, expected)})."
    title = "Labels arrived of those expected"
    return _panel(body, height + 30, f"arrival-{layout.name}", title, description, axis)


def drift(sim: Simulation, layout: Layout) -> Markup:
    """The verdict of each step, and below it which columns had drifted."""
    axis = time_scale(sim, layout)
    seen = Counter(c for s in sim.weeks for c in dict.fromkeys(s.drift_columns))
    columns = [name for name, _ in seen.most_common(DRIFT_COLUMNS)]
    body = [text(axis.left - 12, 21, "Verdict", class_="name strong", text_anchor="end")]
    body += _verdict_row(sim.weeks, axis)
    y = 6.0 + CELL + 8
    for column in columns:
        body.append(_column_row(sim, column, seen[column], axis, y, layout))
        y += CELL
    body.append(time_ticks(axis, y + 18))
    days = sum(s.drift_days for s in sim.weeks)
    unit = period_word(sim.every_days)
    crossed = sum(verdict_of(s) == "drift" for s in sim.weeks)
    description = f"{crossed} of {len(sim.weeks)} {unit} and {amount(days, 'day')} with drift."
    return _panel(body, y + 28, f"drift-{layout.name}", "Drift verdicts", description, axis)


def verdict_of(step: Step) -> str:
    """A step's verdict as one known word; what is unsaid follows from its drift days."""
    word = step.verdict.split(" ")[0].strip(":,.;").lower()
    if word in VERDICTS:
        return word
    return "drift" if step.drift_days or step.drift_columns else "stable"


def _column_row(
    sim: Simulation, column: str, count: int, axis: TimeScale, y: float, layout: Layout
) -> Markup:
    name = shorten(column, layout.name_chars)
    label = tag("text", name, tag("title", column), x=axis.left - 12, y=y + 13, class_="name",
                text_anchor="end")  # fmt: skip
    drifted = [step for step in sim.weeks if column in step.drift_columns]
    boxes = [box(*_slot(step, axis), y + 2, y + CELL - 4) for step in drifted]
    row = line(axis.left, y + 9, axis.last, y + 9, class_="grid")
    cells = [label, row, tag("path", d=polygon_path(boxes), class_="hit")]
    if layout.wide:
        words = amount(count, period_word(sim.every_days, 1))
        cells.append(text(axis.last + 12, y + 13, words, class_="count"))
    return group(cells)


def _verdict_row(steps: list[Step], axis: TimeScale) -> list[Markup]:
    """Cells by verdict; a step whose every day drifted is stronger than one with a single day."""
    boxes: dict[tuple[str, float], list[list[Point]]] = {}
    for step in steps:
        verdict = verdict_of(step)
        days = max((step.end - step.start).total_seconds() / 86_400, 1)
        strength = round(0.5 + 0.5 * min(step.drift_days / days, 1), 1)
        key = (verdict, strength if verdict == "drift" and step.drift_days else 1)
        boxes.setdefault(key, []).append(box(*_slot(step, axis), 6, 6 + CELL))
    return [
        tag("path", d=polygon_path(cells), class_=f"verdict {verdict}", opacity=strength)
        for (verdict, strength), cells in boxes.items()
    ]


def _slot(step: Step, axis: TimeScale) -> tuple[float, float]:
    left, right = axis.x(step.start), axis.x(step.end)
    gap = min(3.5, (right - left) * 0.25)
    return left + gap / 2, max(right - left - gap, 0.6)


def _runs(
    points: list[tuple[Step, float | None]], axis: TimeScale, scale: ValueScale
) -> list[list[Point]]:
    places = [None if v is None else (axis.x(s.middle), scale.y(v)) for s, v in points]
    runs = groupby(places, key=lambda place: place is not None)
    return [[p for p in run if p is not None] for known, run in runs if known]


def _between(
    ours: list[list[Point]], theirs: list[list[Point]], *, lower: bool
) -> tuple[list[list[Point]], list[list[Point]]]:
    """Areas between the lines, apart by which line is the better one."""
    mine = {x: y for run in ours for x, y in run}
    other = {x: y for run in theirs for x, y in run}
    better: list[list[Point]] = []
    worse: list[list[Point]] = []
    for x1, x2 in pairwise(sorted({**mine, **other})):
        if not {x1, x2} <= mine.keys() & other.keys():
            continue
        gap1, gap2 = other[x1] - mine[x1], other[x2] - mine[x2]
        for gap, area in _areas(x1, x2, gap1, gap2, mine, other):
            (better if (gap < 0) == lower else worse).append(area)
    return better, worse


def _areas(
    x1: float, x2: float, gap1: float, gap2: float, mine: dict[float, float],
    other: dict[float, float],
) -> list[tuple[float, list[Point]]]:  # fmt: skip
    left, right = [(x1, mine[x1]), (x1, other[x1])], [(x2, other[x2]), (x2, mine[x2])]
    if gap1 == gap2 == 0:
        return []
    if gap1 * gap2 >= 0:
        return [(gap1 + gap2, left + right)]
    at = gap1 / (gap1 - gap2)
    crossing = (x1 + at * (x2 - x1), mine[x1] + at * (mine[x2] - mine[x1]))
    return [(gap1, [*left, crossing]), (gap2, [crossing, *right])]


def _dots(runs: list[list[Point]], name: str, layout: Layout) -> Markup:
    """Points only where they do not crowd, and always where a run is a single point."""
    count = sum(len(run) for run in runs)
    shown = runs if count * 12 < layout.width else [run for run in runs if len(run) == 1]
    return group((tag("circle", cx=x, cy=y, r=2.4) for run in shown for x, y in run), class_=name)


def _end_labels(
    ours: list[list[Point]], theirs: list[list[Point]], axis: TimeScale
) -> list[Markup]:
    ends = [(runs[-1][-1][1], word) for runs, word in ((ours, "loop"), (theirs, "frozen")) if runs]
    places = {word: y for y, word in ends}
    if len(ends) == 2 and abs(places["loop"] - places["frozen"]) < 15:
        middle = sum(places.values()) / 2
        first = -7.5 if places["loop"] <= places["frozen"] else 7.5
        places = {"loop": middle + first, "frozen": middle - first}
    return [text(axis.last + 10, y + 4, w, class_=f"end {w}") for w, y in places.items()]


def _guides(sim: Simulation, axis: TimeScale, top: float, bottom: float) -> Markup:
    promoted = [axis.x(d.time) for d in sim.decisions if d.kind == "promote"]
    lines = [[(x, top), (x, bottom)] for x in promoted] if len(promoted) <= GUIDES else []
    return tag("path", d=polyline_path(lines), class_="guide")


def _mark(sim: Simulation, index: int, x: float, y: float) -> Markup:
    decision = sim.decisions[index]
    words = decision_title(decision)
    if decision.reason and len(sim.decisions) <= SPOKEN:
        words = f"{words}. {decision.reason}"
    listed = index >= len(sim.decisions) - LISTED_DECISIONS
    return tag(
        "a",
        tag("title", words),
        tag("rect", x=x - 8, y=y - 11, width=16, height=22, class_="hit-area"),
        _shape(decision.kind, x, y),
        href=f"#decision-{index + 1}" if listed else None,
        class_=f"mark {decision.kind if decision.kind in KINDS else 'other'}",
    )


def _shape(kind: str, x: float, y: float) -> Markup:
    if kind == "retrain":
        return tag("circle", cx=x, cy=y, r=4.5)
    if kind == "promote":
        return tag("path", d=polygon_path([[(x, y - 6.5), (x + 6.5, y + 5), (x - 6.5, y + 5)]]))
    r = 4.5
    if kind != "refuse":
        diamond = [(x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y)]
        return tag("path", d=polygon_path([diamond]))
    strokes = [[(x - r, y - r), (x + r, y + r)], [(x - r, y + r), (x + r, y - r)]]
    return tag("path", d=polyline_path(strokes))


def _reigns(steps: list[Step], axis: TimeScale, y: float) -> list[Markup]:
    known = [s for s in steps if s.champion]
    reigns = []
    for order, (version, run) in enumerate(groupby(known, key=lambda s: s.champion)):
        held = list(run)
        left, right = axis.x(held[0].start), axis.x(held[-1].end)
        words = version_name(version)
        title = f"{words}: {span(held[0])} to {span(held[-1])}"
        width = max(right - left - 1, 0.6)
        reigns.append(
            tag("rect", tag("title", title), x=left + 0.5, y=y, width=width, height=CELL, rx=3,
                class_=f"reign tone{order % 2}")
        )  # fmt: skip
        if right - left > 7 * len(words) + 4:
            reigns.append(text((left + right) / 2, y + 14, words, class_="reign-name",
                               text_anchor="middle"))  # fmt: skip
    return reigns


def _panel(
    body: list[Markup], height: float, name: str, title: str, description: str, axis: TimeScale
) -> Markup:
    cross = line(0, 0, 0, height - 24, class_="cross")
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", description, id=f"{name}-desc"),
        *body,
        cross,
        viewBox=f"0 0 {axis.width:g} {height:g}",
        class_=f"chart {name.split('-')[-1]}",
        role="group",
        aria_labelledby=f"{name}-title {name}-desc",
        data_left=axis.left,
        data_last=axis.last,
        data_width=axis.width,
    )
