"""Where the model is worse, since what changed, and which part of a loss comes from which cause.

`rows_of` makes labelled rows; `weak_slices` searches them; `decompose` splits the change between
two periods; `segment_findings` tells new and vanished values; `nearby` names upstream changes;
`finding_rows` makes the rows of the `findings` table.
"""

from feedback_assets.causes.decompose import decompose
from feedback_assets.causes.findings import FINDINGS_COLUMNS, Finding, FindingKind, finding_rows
from feedback_assets.causes.rows import Rows, rows_of
from feedback_assets.causes.segments import segment_findings
from feedback_assets.causes.slices import WeakSlice, weak_slices
from feedback_assets.causes.split import ASSUMPTIONS, PARTS, Part, Split
from feedback_assets.causes.upstream import (
    Change,
    ChangeKind,
    changes_of,
    nearby,
    upstream_findings,
)

__all__ = [
    "ASSUMPTIONS",
    "FINDINGS_COLUMNS",
    "PARTS",
    "Change",
    "ChangeKind",
    "Finding",
    "FindingKind",
    "Part",
    "Rows",
    "Split",
    "WeakSlice",
    "changes_of",
    "decompose",
    "finding_rows",
    "nearby",
    "rows_of",
    "segment_findings",
    "upstream_findings",
    "weak_slices",
]
