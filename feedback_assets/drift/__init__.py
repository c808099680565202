"""Has the data changed, does it matter, and what changed: verdicts from counts.

`build` keeps the reference as a `ReferenceProfile`; `tally` counts a day in its cells;
`day_verdict` compares; `report_rows` makes the rows of the `drift_report` table.
"""

from feedback_assets.drift.binning import Tally, bins_from, count, count_categories, tally
from feedback_assets.drift.bins import ColumnBins
from feedback_assets.drift.profile import ReferenceColumn, ReferenceProfile, build
from feedback_assets.drift.report import REPORT_COLUMNS, report_rows
from feedback_assets.drift.verdict import ColumnVerdict, DayVerdict, column_verdict, day_verdict

__all__ = [
    "REPORT_COLUMNS",
    "ColumnBins",
    "ColumnVerdict",
    "DayVerdict",
    "ReferenceColumn",
    "ReferenceProfile",
    "Tally",
    "bins_from",
    "build",
    "column_verdict",
    "count",
    "count_categories",
    "day_verdict",
    "report_rows",
    "tally",
]
