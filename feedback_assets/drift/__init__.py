"""Has the data changed, does it matter, and what changed: verdicts from counts.

`build` keeps the reference as a `ReferenceProfile`; `tally` counts days in its cells; `judge`
compares the days since, and `judge_once` one day with a reference that moves; `report_rows` makes
the rows of the `drift_report` table.
"""

from feedback_assets.drift.binning import Tally, bins_from, count, count_categories, tally
from feedback_assets.drift.bins import ColumnBins
from feedback_assets.drift.profile import (
    WHOLE,
    ReferenceColumn,
    ReferenceProfile,
    SliceKey,
    build,
    from_tallies,
)
from feedback_assets.drift.report import REPORT_COLUMNS, report_rows
from feedback_assets.drift.verdict import (
    ColumnVerdict,
    DayVerdict,
    days_read,
    judge,
    judge_once,
)

__all__ = [
    "REPORT_COLUMNS",
    "WHOLE",
    "ColumnBins",
    "ColumnVerdict",
    "DayVerdict",
    "ReferenceColumn",
    "ReferenceProfile",
    "SliceKey",
    "Tally",
    "bins_from",
    "build",
    "count",
    "count_categories",
    "days_read",
    "from_tallies",
    "judge",
    "judge_once",
    "report_rows",
    "tally",
]
