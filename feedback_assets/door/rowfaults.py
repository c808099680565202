"""Everything that is wrong with rows, found by walking their parsed JSON."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from feedback_assets.door.columns import PREDICTION_ID, Column
from feedback_assets.door.moments import Moments, micros
from feedback_assets.door.problems import Fault, pointer, unknown_fields

ID = re.compile(PREDICTION_ID.removesuffix("$") + r"\Z")
BAD_ID = "must be a text of 1 to 128 letters, digits and _ . : ~ @ -"
ENOUGH = 1_000


class RowFaults:
    """Names each bad field of each bad row.

    Args:
        columns: The loop's columns.
        moments: The times it takes.
        replay: Rows may state `received_time`.
        max_rows: Rows in one body.
    """

    def __init__(
        self, columns: Mapping[str, Column], moments: Moments, replay: bool, max_rows: int
    ) -> None:
        self._columns = columns
        self._moments = moments
        self._times = ("event_time", "received_time") if replay else ("event_time",)
        self._known = ["prediction_id", *self._times, *columns]
        self._max_rows = max_rows

    def of_body(self, tree: Any, now: int) -> list[Fault]:
        """The faults of one row, or of {"rows": [row, ...]}."""
        if not isinstance(tree, dict):
            return [Fault("", 'must be an object: a row, or {"rows": [row, ...]}')]
        if isinstance(tree.get("rows"), list):
            others = unknown_fields("", tree, ["rows"])
            return others + self.of_rows(tree["rows"], now, "/rows")
        return self.of_row(tree, now, "")

    def of_rows(self, rows: Sequence[Any], now: int, base: str) -> list[Fault]:
        """The faults of a list of rows."""
        if not 1 <= len(rows) <= self._max_rows:
            return [Fault(base, f"must hold 1 to {self._max_rows} rows")]
        found: list[Fault] = []
        for position, row in enumerate(rows):
            found += self.of_row(row, now, f"{base}/{position}")
            if len(found) >= ENOUGH:
                break
        return found

    def of_row(self, row: Any, now: int, base: str) -> list[Fault]:
        """The faults of one row."""
        if not isinstance(row, dict):
            return [Fault(base, "must be an object")]
        found = unknown_fields(base, row, self._known)
        if "prediction_id" in row:
            said = row["prediction_id"]
            if not isinstance(said, str) or not ID.match(said):
                found.append(Fault(f"{base}/prediction_id", BAD_ID))
        stated = (name for name in self._times if name in row)
        wrong = ((name, self._moments.fault(micros(row[name]), now)) for name in stated)
        found += [Fault(f"{base}/{name}", words) for name, words in wrong if words]
        for name, column in self._columns.items():
            if name in row:
                words = column.fault(row[name])
            else:
                words = "is missing" if column.required else None
            if words:
                found.append(Fault(base + pointer(name), words))
        return found
