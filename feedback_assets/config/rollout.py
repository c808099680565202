"""The sections `decide`, `rollout` and `approval`: how a candidate comes to serve, or does not."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from feedback_assets.config.policy import OfficeHours
from feedback_assets.config.section import Strict

TrialStage = Literal["shadow", "canary"]
Risk = Literal["low", "medium", "high"]
RISKS: tuple[Risk, ...] = ("low", "medium", "high")


class Decide(Strict):
    """Promote, keep trying, or reject: safety by an e-process, the decision by expected utility.

    Both may be looked at after every label.
    """

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Largest probability of a false claim, however often one looks."""
    margin: Annotated[float, Field(ge=0)] = 0.02
    """A candidate is safe when it is proven not worse than the champion by this share of its loss."""
    prior_gain: Annotated[float, Field(gt=0)] = 0.02
    """How much candidates usually differ from the champion: standard deviation of the gain, as a
    share of its loss. Small evidence is believed less the smaller it is."""
    unit: Literal["row", "day"] = "day"
    """What is bet on: whole days, whose rows share what the day did (weather, a holiday), or single
    rows. Days need ten or more, and stay honest where rows of a day resemble each other."""
    max_loss: Annotated[float, Field(gt=0)] | None = None
    """Largest loss that one row may count. Derived from the labels if absent: 1 for brier and accuracy,
    for log_loss that of giving the rarest class a tenth of its share, for regression the labels'
    spread."""
    label_wait_days: Annotated[float, Field(ge=0)] | None = None
    """How old a prediction must be before its label counts. If absent its day must be mature, as in the
    pool: labels that come early are no fair sample (fraud is told at once, honesty never)."""
    horizon_days: Annotated[float, Field(gt=0)] = 30
    """How long a gain is enjoyed."""
    rows_per_day: Annotated[float, Field(gt=0)] | None = None
    """Predictions a day; learned from the log if absent."""
    value: Annotated[float, Field(gt=0)] | None = None
    """What one unit of gain in the loss is worth for one prediction, in the KPI's unit; utility is
    told in units of loss if absent."""
    switching_cost: Annotated[float, Field(ge=0)] = 0.0
    """What changing the model costs, in the unit of utility."""


class Shadow(Strict):
    """The candidate scores what the champion answers; nobody sees its answers."""

    min_labels: Annotated[int, Field(ge=1)] = 200
    """Labelled rows before anything is decided."""
    held_out: bool = True
    """Held-out rows count among them; else only rows that came after the training."""
    min_days: Annotated[float, Field(ge=0)] = 0
    """Shortest stay."""
    max_days: Annotated[float, Field(gt=0)] = 56
    """After so long without a proof it is rejected."""
    candidates: Annotated[int, Field(ge=1)] = 4
    """Candidates that may be in shadow at once; one more takes the place of the one with the weakest
    evidence."""


class Canary(Strict):
    """The candidate answers `serve.routing.canary_percent` of the requests."""

    min_requests: Annotated[int, Field(ge=1)] = 200
    """Requests that it must have answered."""
    min_days: Annotated[float, Field(ge=0)] = 0
    """Shortest stay."""
    max_days: Annotated[float, Field(gt=0)] = 14
    """After so long without enough requests it is rejected."""
    max_error_rate: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Largest share of its requests that someone else had to answer, beyond the champion's share."""
    max_latency_ratio: Annotated[float, Field(gt=0)] = 2.0
    """Largest ratio of its 95th percentile latency to the champion's."""


class Watch(Strict):
    """After a promotion the champion stays on trial against the one it replaced."""

    days: Annotated[float, Field(ge=0)] = 30
    """How long; 0 watches none."""
    min_labels: Annotated[int, Field(ge=1)] = 100
    """Labelled rows before it can be taken back."""
    unit: Literal["row", "day"] = "day"
    """What is bet on, as `decide.unit` says it of trials."""


class Rollout(Strict):
    """The way from candidate to champion; each stage is left by rules, never by waiting in a step."""

    stages: list[TrialStage] = ["shadow", "canary"]
    """Stages to go through; with none, the held-out rows decide at once. Where nobody asks the
    service, the canary is passed over, which is recorded."""
    shadow: Shadow = Shadow()
    """When shadow ends."""
    canary: Canary = Canary()
    """When canary ends."""
    watch: Watch = Watch()
    """When a promotion is taken back."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.stages not in ([], ["shadow"], ["canary"], ["shadow", "canary"]):
            raise ValueError("rollout.stages: shadow comes before canary, each at most once")
        return self


class Approval(Strict):
    """Whom a promotion needs."""

    risk: Risk = "low"
    """What a wrong model can do: it is raised by a step where an override is used or answers change
    for more than `churn`."""
    automatic: Risk | None = "medium"
    """The highest risk at which a promotion needs nobody; null asks people for each."""
    people: Annotated[int, Field(ge=1)] = 2
    """Different people who must approve otherwise; none of them asked for the candidate."""
    expires_hours: Annotated[float, Field(gt=0)] = 72
    """How long an approval holds."""
    churn: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Share of changed answers from which the risk is one step higher."""
    office_hours: OfficeHours | None = None
    """Promote without people only then; outside, it waits or people approve."""
