"""What a page says of a day's drift: its verdict, its columns in order, slices, references."""

import math
from dataclasses import dataclass

from feedback_assets.reports.facts import DayFacts
from feedback_assets.reports.plain import plain_text
from feedback_assets.reports.rows import Row, number, records

ORDER = {"broken": 0, "drift": 1, "insufficient": 2, "immaterial": 3, "stable": 4}
MOVED = frozenset({"broken", "drift"})


@dataclass(frozen=True)
class DayView:
    """The rows of a day that a page tells about, what matters most first.

    Attributes:
        status: of the day.
        reason: of the day.
        rows: judged.
        columns: the columns of the whole data.
        slices: the columns of slices that moved or broke.
        judged_slices: how many (column, slice) were judged.
        others: the day's row of each other reference.
        performance: the rows of `performance_report`.
        promises: the rows of `sla`.
        findings: the rows of `findings`.
    """

    status: str
    reason: str
    rows: int
    columns: list[Row]
    slices: list[Row]
    judged_slices: int
    others: list[Row]
    performance: list[Row]
    promises: list[Row]
    findings: list[Row]

    @property
    def moved(self) -> list[Row]:
        """The columns of the whole data that moved or broke."""
        return [row for row in self.columns if row["status"] in MOVED]

    @property
    def told(self) -> list[Row]:
        """The moved columns; if only slices moved, those."""
        return self.moved or self.slices

    @property
    def rest(self) -> list[Row]:
        """The other columns."""
        return [row for row in self.columns if row["status"] not in MOVED]

    @property
    def since(self) -> str:
        """The first day of the oldest change; empty if not known."""
        return min(
            (plain_text(r["since"]) for r in self.told if plain_text(r["since"])), default=""
        )

    @property
    def strongest(self) -> float:
        """Ln e of the strongest material change; NaN if not known."""
        known = [number(row["evidence"]) for row in self.told]
        return max((e for e in known if not math.isnan(e)), default=math.nan)


def day_view(facts: DayFacts) -> DayView:
    """The rows of the day, in the order of what matters."""
    days = records(facts.drift, role="day")
    mine = [row for row in days if row["against"] == facts.against]
    day: Row = mine[0] if mine else {"status": "insufficient", "reason": "not judged", "rows": 0}
    judged = (facts.drift["against"] == facts.against) & (facts.drift["role"] != "day")
    whole = ~facts.drift["segment"].fillna("").astype(bool)
    hit = facts.drift["status"].isin(MOVED)
    ours = records(facts.drift[(judged & (whole | hit)).to_numpy(bool)])
    return DayView(
        status=plain_text(day["status"]),
        reason=plain_text(day["reason"], 1_000),
        rows=int(number(day["rows"])) if math.isfinite(number(day["rows"])) else 0,
        columns=sorted((r for r in ours if not plain_text(r["segment"])), key=_weight),
        slices=sorted((r for r in ours if plain_text(r["segment"])), key=_weight),
        judged_slices=int((judged & ~whole).sum()),
        others=[row for row in days if row["against"] != facts.against],
        performance=records(facts.performance),
        promises=records(facts.sla),
        findings=records(facts.findings),
    )


def _weight(row: Row) -> tuple[int, float, float, str]:
    """Broken first, then what costs most, then what is surest."""
    impact, evidence = number(row["impact"]), number(row["evidence"])
    return (
        ORDER.get(row["status"], 9),
        -abs(impact) if math.isfinite(impact) and row["status"] in MOVED else 0.0,
        -evidence if not math.isnan(evidence) else math.inf,
        str(row["column_name"]),
    )
