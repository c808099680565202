"""The section `evaluation` of a loop's file: how champion and candidate are examined."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from feedback_assets.config.section import ColumnName, Strict

ScenarioKind = Literal["missing", "extreme", "unseen", "shifted"]


class Scenario(Strict):
    """Rows as production may send them on a bad day."""

    name: str
    """What people call it."""
    kind: ScenarioKind
    """missing: values are null; extreme: numbers far outside; unseen: categories never seen;
    shifted: each row gets the values of a row of another time."""
    columns: list[ColumnName] = []
    """Features that are touched; all that the kind can touch if empty."""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the rows that are touched."""
    amount: Annotated[float, Field(gt=0)] = 5.0
    """extreme: standard deviations; shifted: days; else without meaning."""


def usual_scenarios() -> list[Scenario]:
    """What happens to every system some day."""
    return [
        Scenario(name="a tenth of all values is missing", kind="missing", share=0.1),
        Scenario(name="numbers five standard deviations off", kind="extreme", share=0.1),
        Scenario(name="categories never seen", kind="unseen"),
        Scenario(name="a tenth of the rows a day late", kind="shifted", share=0.1, amount=1),
    ]


class Evaluation(Strict):
    """How champion and candidate are examined on the same fresh rows."""

    uses: Annotated[int, Field(ge=1)] = 10
    """Candidates that may be judged on a day's rows; then they have told too much and are trained on."""
    max_rows: Annotated[int, Field(ge=100)] = 20_000
    """Rows on which scenarios, ablation and importance are computed, drawn by a hash of the id."""
    repeats: Annotated[int, Field(ge=1)] = 3
    """Shuffles of a feature group."""
    latency_rows: Annotated[int, Field(ge=20)] = 500
    """Rows that are scored one by one, for latency."""
    groups: dict[str, list[ColumnName]] = {}
    """Features that belong together, by name; each feature alone if empty."""
    scenarios: list[Scenario] = Field(default_factory=usual_scenarios)
    """Bad days to play."""

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        names = [scenario.name for scenario in self.scenarios]
        if len(set(names)) < len(names):
            raise ValueError("evaluation.scenarios names one twice")
        return self
