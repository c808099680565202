"""The page of a day: what moved, since when, how sure, how bad, where, why, what next."""

from pathlib import Path

from markupsafe import Markup

from feedback_assets.reports import day_tables
from feedback_assets.reports.axes import NARROW, WIDE
from feedback_assets.reports.day_view import DayView, day_view
from feedback_assets.reports.day_words import answers, headline
from feedback_assets.reports.facts import DayFacts
from feedback_assets.reports.files import replace_text
from feedback_assets.reports.hrefs import safe_href
from feedback_assets.reports.pages import render_page, template_text
from feedback_assets.reports.plain import plain_text
from feedback_assets.reports.rows import count, metric_name, records
from feedback_assets.reports.verdict_charts import metric_chart, status_chart
from feedback_assets.reports.words import amount

STATUS_WORDS = {
    "drift": "material drift", "broken": "broken", "stable": "stable",
    "immaterial": "immaterial change", "insufficient": "not judged",
}  # fmt: skip


def day_page(day: DayFacts, path: Path) -> None:
    """Write a day's page atomically; its folder is made.

    Args:
        day: all that is known of the day; frames may be empty.
        path: where the page goes, an .html file.
    """
    replace_text(path, day_html(day))


def day_html(day: DayFacts) -> str:
    """The page as HTML text: no script, nothing from outside."""
    view = day_view(day)
    return render_page(
        "day.html.j2",
        css=page_css(),
        title=plain_text(day.title),
        key=plain_text(day.partition_key),
        eyebrow=_eyebrow(day, view),
        headline=headline(day, view),
        status=view.status,
        status_words=STATUS_WORDS,
        answers=answers(day, view),
        charts=_charts(day),
        metric=metric_name(day.metric),
        confidence=f"{day.confidence:.0%}",
        moved=day_tables.column_rows(view.moved),
        rest=day_tables.column_rows(view.rest),
        rest_words=_rest_words(view),
        slices=day_tables.column_rows(view.slices),
        judged_slices=count(view.judged_slices),
        number_names=[name for _, name, _ in day_tables.NUMBERS],
        numbers=day_tables.number_rows(view),
        performance=day_tables.performance_rows(view.performance, day.metric),
        selective=plain_text(day.selective, 600),
        segments=day_tables.slice_rows(view.performance, day.metric, versions=False),
        versions=day_tables.slice_rows(view.performance, day.metric, versions=True),
        promises=day_tables.promise_rows(view.promises),
        findings=day_tables.finding_rows(view.findings),
        unseen=day_tables.unseen_rows(view.columns),
        others=day_tables.other_rows(view),
        links={name: safe_href(href) for name, href in vars(day.links).items()},
    )


def page_css() -> Markup:
    """The style of the reports with that of verdict pages."""
    both = template_text("report.css") + template_text("verdict_page.css")
    return Markup(both)  # noqa: S704 - our own files


def _eyebrow(day: DayFacts, view: DayView) -> str:
    parts = [plain_text(day.title), plain_text(day.partition_key), amount(view.rows, "answer")]
    if day.reference:
        parts.append(f"against {plain_text(day.reference)}")
    return " · ".join(parts)


def _charts(day: DayFacts) -> dict[str, list[Markup]]:
    keys = sorted({*day.recent_days["partition_key"], day.partition_key})
    measured = records(
        day.recent_performance, metric=day.metric, period="day", segment="", model_version=""
    )
    days = records(day.recent_days, against=day.against, role="day")
    both = (WIDE, NARROW)
    metric = [metric_chart(measured, keys, day.metric, [day.partition_key], size) for size in both]
    status = [status_chart(days, [], keys, {}, size) for size in both]
    return {"metric": [m for m in metric if m], "status": [s for s in status if s]}


def _rest_words(view: DayView) -> str:
    seen: dict[str, int] = {}
    for row in view.rest:
        seen[row["status"]] = seen.get(row["status"], 0) + 1
    parts = [f"{n} {STATUS_WORDS.get(status, plain_text(status))}" for status, n in seen.items()]
    return ", ".join(parts)
