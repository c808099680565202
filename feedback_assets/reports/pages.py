"""Jinja pages of the reports, always autoescaped."""

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def _environment() -> Environment:
    loader = PackageLoader("feedback_assets.reports", "templates")
    return Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_page(template: str, **values: Any) -> str:
    """Render one of our templates; text values are escaped, only `Markup` passes as it is.

    Args:
        template: file name in `reports/templates`.
        values: what the template uses; a missing one is an error.

    Returns:
        The page's HTML.
    """
    return _environment().get_template(template).render(**values)


def template_text(name: str) -> str:
    """The text of a style or script beside the templates."""
    return (files("feedback_assets.reports") / "templates" / name).read_text(encoding="utf-8")
