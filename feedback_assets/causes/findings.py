"""What was found out about a day, one row of the `findings` table each."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import pandas as pd

FindingKind = Literal[
    "weak_slice", "new_segment", "vanished_segment", "drop_split", "upstream", "concept", "domain",
    "harm",
]  # fmt: skip

FINDINGS_COLUMNS: Mapping[str, str] = {
    "partition_key": "VARCHAR", "kind": "VARCHAR", "subject": "VARCHAR", "value": "DOUBLE",
    "low": "DOUBLE", "high": "DOUBLE", "evidence": "DOUBLE", "text": "VARCHAR",
}  # fmt: skip
"""Column → DuckDB type, in order."""

NAN = float("nan")


@dataclass(frozen=True)
class Finding:
    """One thing worth telling about a partition."""

    partition_key: str
    kind: FindingKind
    subject: str
    """What it is about: a slice, a segment value, a part of the split, a changed thing."""
    text: str
    """The finding in plain words."""
    value: float = NAN
    """How much, in the unit of the kind (a mean loss, a share, days); NaN where it has none."""
    low: float = NAN
    """Lower end of the value's interval."""
    high: float = NAN
    """Upper end."""
    evidence: float = NAN
    """How sure, as a natural logarithm: -ln of the chance that it is luck, or ln of an e-value."""


def finding_rows(findings: Iterable[Finding]) -> pd.DataFrame:
    """The findings as rows of the table, with the columns of `FINDINGS_COLUMNS` in order.

    >>> rows = finding_rows([Finding("2024-01-02", "upstream", "model", "model 3 → 4")])
    >>> rows[["kind", "subject"]].to_numpy().tolist()
    [['upstream', 'model']]
    """
    frame = pd.DataFrame([asdict(f) for f in findings], columns=list(FINDINGS_COLUMNS))
    kinds = {"VARCHAR": "object", "DOUBLE": "float64"}
    return frame.astype({name: kinds[sql] for name, sql in FINDINGS_COLUMNS.items()})
