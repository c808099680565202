"""The section `review` of a loop's file: which rows people are asked about, and how they answer.

Every row of a day may be asked for a reason of its own, but each is drawn by lot with a chance that is
known, so that what is learned from the answers can be told of all rows.
"""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from feedback_assets.config.section import ColumnName, Strict

Strategy = Literal[
    "entropy", "margin", "least_confidence", "committee", "density", "diversity", "stratified",
    "drifted", "random",
]  # fmt: skip
Share = Annotated[float, Field(ge=0, le=1)]
DEFAULT_MIX: dict[Strategy, float] = {"entropy": 0.7, "diversity": 0.2, "drifted": 0.1}


class LabelStudio(Strict):
    """A project of Label Studio in which people answer."""

    url: str
    """Its address, as in https://labels.example.com."""
    project: Annotated[int, Field(ge=1)] | None = None
    """The project's number; one is set up and remembered if absent."""
    token: str = "LABEL_STUDIO_TOKEN"  # noqa: S105
    """The environment variable that holds the access token (legacy or personal)."""
    webhook: str = "LABEL_STUDIO_WEBHOOK"
    """The environment variable that holds the secret its webhooks must bring."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 30
    """Longest wait for one answer of the server."""
    batch: Annotated[int, Field(ge=1, le=1_000)] = 100
    """Tasks sent with one request."""

    @field_validator("url")
    @classmethod
    def _plain_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("give the server's address, as in https://labels.example.com")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(
                "no user, password or query in the address: the token comes from the environment"
            )
        return url.rstrip("/")


class Automatic(Strict):
    """Rows that the champion is sure of take its answer for their label, to train on and nothing else."""

    precision: Annotated[float, Field(gt=0, lt=1)] = 0.98
    """What the share of right answers must reach on audited rows, at its interval's lower end."""
    min_audited: Annotated[int, Field(ge=10)] = 100
    """Fewest audited rows above the threshold."""
    weight: Annotated[float, Field(gt=0, le=1)] = 0.2
    """What such a label weighs in training."""
    max_share: Share = 0.5
    """Largest share of the training rows that may be labelled so."""


class Review(Strict):
    """Which rows people are asked about, and how they answer."""

    question: str = ""
    """What people are asked, as in `Did the flight arrive more than 15 minutes late?`."""
    words: dict[str, str] = {}
    """What people read for each label value, as in {"1": "late", "0": "in time"}."""
    per_day: Annotated[int, Field(ge=0)] = 0
    """Questions a day; 0 asks nobody."""
    max_share: Annotated[float, Field(gt=0, le=1)] = 0.05
    """At most this share of the rows that came since the last batch."""
    mix: dict[Strategy, Annotated[float, Field(gt=0)]] = DEFAULT_MIX
    """How questions are chosen: strategy to share (of what the audit share leaves)."""
    audit_share: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Drawn evenly from all rows: only their labels judge models and labels."""
    by: list[ColumnName] = []
    """Columns that `stratified` covers; `columns.segments` if empty."""
    candidates: Annotated[int, Field(ge=100)] = 20_000
    """Of more rows than this so many are drawn first, evenly."""
    lookback_days: Annotated[float, Field(gt=0)] | None = None
    """Oldest rows that are asked about; `label.max_delay_days` if absent."""
    duplicate_distance: Annotated[float, Field(ge=0)] = 0.05
    """Rows nearer than this share of the usual distance are near duplicates: one of them is asked."""
    answers: Annotated[int, Field(ge=1, le=9)] = 1
    """People who answer each question."""
    double_share: Share = 0.1
    """Share asked once more, of somebody else, so that agreement is known."""
    golden_share: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    """Share of questions whose answer is known (`golden`), to see how well people answer."""
    golden: str | None = None
    """CSV, JSONL or Parquet of known answers (prediction_id, label); `{home}` as in `source`."""
    lease_minutes: Annotated[float, Field(gt=0)] = 20
    """How long a question stays with who opened it."""
    keep_days: Annotated[float, Field(gt=0)] = 14
    """Questions nobody answered are withdrawn after so long."""
    show: list[ColumnName] = []
    """Columns that are shown; features and carried columns if empty."""
    hide_opinion: bool = True
    """The model's answer is shown only on request: it would pull people towards it."""
    label_studio: LabelStudio | None = None
    """Questions are put and answered there too."""
    automatic: Automatic | None = None
    """Rows the model is sure of are labelled by it; off if absent."""

    @model_validator(mode="after")
    def _some_strategy(self) -> Self:
        if not self.mix and self.audit_share < 1:
            raise ValueError("review.mix is empty: name strategies, or set audit_share to 1")
        return self
