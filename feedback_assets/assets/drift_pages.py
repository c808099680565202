"""Evidently pages for the days most worth opening; a bounded number in one run."""

from collections.abc import Mapping

import duckdb

from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.drift.verdict import DayVerdict
from feedback_assets.sqltext import literal
from feedback_assets.tables.table import Snapshot


def write_pages(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    reference: ModelVersion,
    days: Mapping[str, DayVerdict],
) -> dict[str, str]:
    """Render the pages of a run and return their addresses by partition.

    `drift.pages_per_run` bounds them, the newest first, since one page costs more than the verdicts
    of a month.
    """
    worth = sorted(days, reverse=True)
    return {
        key: write_page(space, con, source, reference, key, days[key])
        for key in worth[: space.config.drift.pages_per_run]
    }


def write_page(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    reference: ModelVersion,
    key: str,
    day: DayVerdict,
) -> str:
    """Render one day's page from a bounded sample and return its address."""
    from feedback_assets.reports.evidently_page import render

    seed = literal(f"{space.config.model.seed}:")
    current = con.execute(
        f"""SELECT * FROM {source.relation([key])}
            ORDER BY md5({seed} || prediction_id) LIMIT {space.config.drift.page_rows}"""
    ).df()
    sample = reference.reference_sample()
    page = space.reports / "drift" / f"{key}.html"
    title = f"{space.config.title}: {key} against version {reference.version}"
    render(current, sample, space.config, title, day, page)
    return space.report_url(page)
