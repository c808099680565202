"""What a format is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from feedback_assets.capture.files import SourceFile
from feedback_assets.capture.importers.records import Event, Kind, Part

if TYPE_CHECKING:
    from feedback_assets.capture.importers.layout import Layout

Record = dict[str, Any]


@dataclass(frozen=True)
class Format:
    """One foreign log format. Its functions raise UnexpectedError where a record is not of it."""

    name: str
    title: str
    """For people."""
    needs: str
    """What a record of predictions holds, in words."""
    feedback_needs: str = ""
    """What a record of feedback holds; the same if empty."""
    prediction: Callable[[Record, "Layout"], Part | None] | None = None
    """A record as a part of a prediction; None for a record that holds no data."""
    feedback: Callable[[Record, "Layout"], list[Event] | None] | None = None
    """A record as events of feedback."""
    columns: tuple[str, ...] = ()
    """Columns of its Parquet files that are read; others never are."""
    sequence: str | None = None
    """The field that rows of one request share, written one after another; they are numbered."""
    roles: Callable[[Sequence[SourceFile]], dict[str, str]] | None = None
    """What the files themselves say about which column is the prediction and which the target."""
    tabular: bool = False
    """Rows are read by column, not record by record."""
    pairs: bool = False
    """Request and response are records of their own."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What the format carries."""
        if self.tabular:
            return ("predictions", "feedback")
        found: list[Kind] = []
        if self.prediction:
            found.append("predictions")
        if self.feedback:
            found.append("feedback")
        return tuple(found)
