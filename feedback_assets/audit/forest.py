"""Improvements with their intervals beside one zero line."""

from collections.abc import Sequence

from markupsafe import Markup

from feedback_assets.reports.rows import interval, said
from feedback_assets.reports.svg import group, line, shorten, tag, text

Estimate = tuple[str, float | None, float | None, float | None]
"""Name, improvement, lower and upper end."""
LABEL, WIDTH, ROW, SIDE = 210.0, 620.0, 24.0, 12.0


def forest(estimates: Sequence[Estimate], shared: bool = False) -> Markup:
    """A row for each estimate whose interval is known.

    Args:
        estimates: What is drawn, in its order; those that are not known are left out.
        shared: Whether all have one unit, and so one scale; else each row fills its width.

    Returns:
        SVG; nothing where nothing is known.
    """
    known = [e for e in estimates if all(v is not None for v in e[1:])]
    widest = max((_reach(e) for e in known), default=0.0)
    rows = [
        _row(place, estimate, widest if shared else _reach(estimate))
        for place, estimate in enumerate(known)
    ]
    if not rows:
        return Markup("")
    height = ROW * len(rows) + 4
    middle = LABEL + (WIDTH - LABEL) / 2
    words = "; ".join(f"{name} {said(value)}" for name, value, _, _ in known)
    return tag(
        "svg",
        tag("title", words),
        line(middle, 0, middle, height, class_="zero"),
        *rows,
        viewBox=f"0 0 {WIDTH:g} {height:g}", class_="forest", role="img", aria_label=words,
    )  # fmt: skip


def _reach(estimate: Estimate) -> float:
    return max(abs(v) for v in estimate[1:] if v is not None)


def _row(place: int, estimate: Estimate, reach: float) -> Markup:
    name, value, low, high = estimate
    y, middle = ROW * (place + 0.5) + 2, LABEL + (WIDTH - LABEL) / 2
    half = (WIDTH - LABEL) / 2 - SIDE

    def x(number: float | None) -> float:
        return middle + half * (number or 0.0) / (reach or 1.0)

    return group(
        [
            tag("title", f"{name}: {said(value)}, {interval(low, high)}"),
            text(0, y + 4, shorten(name, 30), class_="name"),
            line(x(low), y, x(high), y, class_="range"),
            tag("circle", cx=x(value), cy=y, r=4, class_="dot"),
        ],
        class_="worse" if (high or 0) < 0 else None,
    )
