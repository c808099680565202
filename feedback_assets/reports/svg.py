"""Small pieces of SVG as escaped markup; no text reaches a page unescaped."""

from collections.abc import Iterable

from markupsafe import Markup, escape

Point = tuple[float, float]


def number(value: float) -> str:
    """A coordinate with at most one decimal, short enough to keep pages small."""
    text = f"{value:.1f}"
    return text.removesuffix(".0") if text != "-0.0" else "0"


def tag(name: str, *children: str | Markup, **attributes: str | float | None) -> Markup:
    """An element; a trailing underscore in an attribute is dropped, inner ones become hyphens.

    Args:
        name: element name, from code.
        children: text (escaped here) or markup.
        attributes: None leaves an attribute out; numbers are rounded to one decimal.

    Returns:
        The element as markup.
    """
    parts = [
        f' {key.rstrip("_").replace("_", "-")}="{_text(value)}"'
        for key, value in attributes.items()
        if value is not None
    ]
    inner = "".join(str(escape(child)) for child in children)
    close = f">{inner}</{name}>" if inner else "/>"
    return Markup(f"<{name}{''.join(parts)}{close}")  # noqa: S704 - every part is escaped above


def _text(value: str | float) -> str:
    return str(escape(value)) if isinstance(value, str) else number(value)


def group(items: Iterable[Markup], **attributes: str | float | None) -> Markup:
    """A `g` element around the items."""
    return tag("g", *items, **attributes)


def text(x: float, y: float, content: str, **attributes: str | float | None) -> Markup:
    """A line of text with its baseline at y."""
    return tag("text", content, x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, **attributes: str | float | None) -> Markup:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)


def polyline_path(runs: Iterable[list[Point]]) -> str:
    """Path data of open lines, one per run of known points."""
    return "".join(
        "M" + "L".join(f"{number(x)} {number(y)}" for x, y in run) for run in runs if run
    )


def polygon_path(polygons: Iterable[list[Point]]) -> str:
    """Path data of closed areas."""
    return "".join(
        "M" + "L".join(f"{number(x)} {number(y)}" for x, y in corners) + "Z" for corners in polygons
    )


def shorten(content: str, limit: int) -> str:
    """The text, cut with an ellipsis beyond `limit` characters."""
    return content if len(content) <= limit else content[: max(limit - 1, 1)] + "…"
