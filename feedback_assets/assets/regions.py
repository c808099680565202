"""Which rows lie where columns have drifted to."""

from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.assets.models import ModelVersion
from feedback_assets.drift.regions import grown_cells
from feedback_assets.sqltext import literal
from feedback_assets.tables.snapshot import Snapshot


@dataclass(frozen=True)
class Region:
    """The rows of some days in those cells of one drifted column that grew."""

    column: str
    rows: npt.NDArray[np.bool_]
    """[n] of the frame."""
    words: str
    """As in "temp: 9.1 to 12.3, above 31"."""


def drifted_regions(
    con: duckdb.DuckDBPyConnection,
    report: Snapshot,
    model: ModelVersion | None,
    frame: pd.DataFrame,
) -> list[Region]:
    """Where the features had drifted to on the newest judged day among the rows' own.

    Args:
        con: A connection.
        report: The drift report.
        model: Whose training data the rows are compared with; nothing has drifted before the first.
        frame: Rows with `partition_key` and the features.
    """
    if model is None or frame.empty:
        return []
    drifted = drifted_columns(con, report, set(frame["partition_key"]))
    reference = model.reference().columns
    found = []
    for name in drifted:
        if name in reference and name in frame:
            rows, cells = grown_cells(frame[name], reference[name])
            if rows.any():
                found.append(Region(name, rows, f"{name}: {', '.join(cells)}"))
    return found


def drifted_columns(con: duckdb.DuckDBPyConnection, report: Snapshot, days: set[str]) -> list[str]:
    """Features that had drifted, against any reference, on the newest judged of these days."""
    judged = [key for key, info in report.partitions().items() if info.rows and key in days]
    if not judged:
        return []
    newest = max(judged)
    return [
        str(name)
        for (name,) in con.execute(
            f"""SELECT DISTINCT column_name FROM {report.relation([newest])}
                WHERE role = 'feature' AND segment = '' AND status IN ('drift', 'broken')
                  AND partition_key = {literal(newest)} ORDER BY column_name"""
        ).fetchall()
    ]
