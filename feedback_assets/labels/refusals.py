"""What was found out about labels that no row tells by itself, and what leaves the pool for it."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.sqltext import ident, instant, literals

Who = Literal["label_principal", "label_source"]
WHO: tuple[Who, Who] = ("label_principal", "label_source")


@dataclass(frozen=True)
class Batch:
    """Labels of some principals or sources, received in `(since, until]`.

    With `after` also earlier received ones of rows that happened later than that: a model that was
    trained on rows up to `after`, with the labels known at `since`, has seen neither.
    """

    column: Who
    names: tuple[str, ...]
    since: dt.datetime
    until: dt.datetime
    after: dt.datetime | None = None

    @property
    def words(self) -> str:
        """Whose labels, received when."""
        who = ", ".join(self.names[:3]) + (
            f" and {len(self.names) - 3} more" * (len(self.names) > 3)
        )
        return f"{who}: labels received {self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M}"

    def sql(self, alias: str) -> str:
        """Portable SQL, never null: the row's label is one of these."""
        new = f"{alias}.label_received_time > {instant(self.since)}"
        if self.after is not None:
            new = f"({new} OR {alias}.event_time > {instant(self.after)})"
        inside = f"{new} AND {alias}.label_received_time <= {instant(self.until)}"
        return f"COALESCE({alias}.{ident(self.column)} IN ({literals(self.names)}) AND {inside}, FALSE)"

    def holds(self, rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """The same of rows [n]."""
        received, names = rows["label_received_time"], list(self.names)
        new = received > pd.Timestamp(self.since)
        if self.after is not None:
            new |= rows["event_time"] > pd.Timestamp(self.after)
        inside = new & (received <= pd.Timestamp(self.until)) & rows[self.column].isin(names)
        return inside.to_numpy(np.bool_)

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "column": self.column, "names": list(self.names),
            "since": self.since.isoformat(), "until": self.until.isoformat(),
            "after": self.after.isoformat() if self.after else None,
        }  # fmt: skip

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        since, until = (dt.datetime.fromisoformat(said[name]) for name in ("since", "until"))
        after = dt.datetime.fromisoformat(said["after"]) if said.get("after") else None
        return cls(said["column"], tuple(said["names"]), since, until, after)


@dataclass(frozen=True)
class Limit:
    """Of the train rows with one value of `group`, no more than `most` stay, drawn by hash."""

    group: str
    """SQL over a row of the pool; rows where it is null are not limited."""
    most: int
    reason: str


@dataclass(frozen=True)
class Refusals:
    """Findings that decide rows of the pool.

    Attributes:
        quarantined: Principals that are left out.
        poisoned: Labels that make held-out rows harder to predict.
        immature: Days that are not mature, whose labels are trained on with a weight.
        immature_counts: SQL over `feedback`: the row of such a day counts.
        untrusted: SQL over `feedback`: the label weighs nothing; "" where nothing does.
        unknown_chance: SQL over `feedback`: the label has no known chance; "" where all have.
        limits: In the order in which they are applied.
    """

    quarantined: Sequence[str] = ()
    poisoned: Sequence[Batch] = ()
    immature: Sequence[str] = ()
    immature_counts: str = "TRUE"
    untrusted: str = ""
    unknown_chance: str = ""
    limits: Sequence[Limit] = ()


NONE = Refusals()
