"""The section `source` of a loop's file: where predictions and feedback come from."""

from typing import Literal, Self

from pydantic import (
    model_validator,
)

from feedback_assets.config.section import ColumnName, Strict

Format = Literal[
    "auto", "parquet", "csv", "jsonl",
    "generic", "sagemaker", "databricks", "kserve", "seldon", "azureml", "vertex", "bentoml",
]  # fmt: skip
Side = Literal["predictions", "feedback"]
OWN_FORMATS = ("auto", "parquet", "csv", "jsonl")


class FileSource(Strict):
    """Files that bring rows, beside what comes by `feedback-assets serve` and `import`."""

    path: str | None = None
    """Folder or glob; `{home}` is the state folder; relative paths start at the project."""
    format: Format = "auto"
    """auto tells Parquet, CSV and JSONL by the file's ending; or a log that others write."""
    map: dict[ColumnName, ColumnName] = {}
    """Logs that others write: their column to ours."""

    @property
    def foreign(self) -> bool:
        """Whether the files are logs of another system, which are imported first."""
        return self.format not in OWN_FORMATS

    @model_validator(mode="after")
    def _a_map_for_logs(self) -> Self:
        if self.map and not self.foreign:
            raise ValueError(
                f"map renames columns of logs that others write; with format {self.format} "
                "name the source's columns in `columns`"
            )
        return self


class PredictionSource(FileSource):
    """Where predictions arrive."""


class FeedbackColumns(Strict):
    """Which source column holds what; leave out what the source does not have."""

    prediction_id: ColumnName = "prediction_id"
    """The prediction that the feedback is about."""
    value: ColumnName = "label"
    """The label, correction or rating itself."""
    received_time: ColumnName | None = None
    """When the feedback was learned of; the file's modification time if absent."""
    event_time: ColumnName | None = None
    """When the truth happened in the world; the received time if absent."""
    event_id: ColumnName | None = None
    """Unique id of the feedback event; made from its content if absent."""
    kind: ColumnName | None = None
    """label, correction, rating or rejection; label if absent."""
    source: ColumnName | None = None
    """What kind of evidence it is, as in chargeback or survey."""
    principal: ColumnName | None = None
    """Who said so and can be held to it; what the service takes is under its token's name."""
    confidence: ColumnName | None = None
    """How sure the source is, 0 to 1; 1 if absent."""


class FeedbackSource(FileSource):
    """Where labels and other feedback arrive."""

    columns: FeedbackColumns = FeedbackColumns()
    """Names of the columns in the source."""


class Sources(Strict):
    """Both ends of the loop."""

    predictions: PredictionSource = PredictionSource()
    """Rows the model was asked about, with its answers."""
    feedback: FeedbackSource = FeedbackSource()
    """The truth, as it becomes known."""
