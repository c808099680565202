"""The section `pool` of a loop's file: which rows may be trained on, and what each of them weighs."""

from typing import Annotated, Literal

from pydantic import Field

from feedback_assets.config.section import ColumnName, Strict


class Poisoning(Strict):
    """New labels that make held-out rows harder to predict are not let in."""

    max_loss: Annotated[float, Field(gt=0)] = 0.05
    """Largest increase of the held-out loss (relative) by one principal's or source's new labels,
    at the lower end of its interval."""
    min_rows: Annotated[int, Field(ge=10)] = 50
    """Fewer new labels of one principal or source are judged together with the others' few."""


class Pool(Strict):
    """Which rows may be trained on."""

    maturity: Annotated[float, Field(gt=0, le=1)] = 0.99
    """Share of a day's labels that must have arrived, by the learned delay curve."""
    mature_after_days: Annotated[float, Field(ge=0)] | None = None
    """A fixed age instead of the learned one."""
    holdout_days: Annotated[float, Field(gt=0)] = 7
    """The newest mature days, which training never sees and the gate compares on."""
    min_rows: Annotated[int, Field(ge=1)] = 200
    """No training with fewer rows."""
    relevance_days: Annotated[int, Field(ge=0)] = 90
    """Rows of segments that had no traffic for so long are left out; 0 keeps all."""
    drop_conflicts: bool = True
    """Leave out rows whose label is disputed."""
    immature: Literal["leave", "weight"] = "leave"
    """Days whose labels are not all in: left out, or their labels trained on with the inverse of the
    chance that a label of this value had come by now; never taken for negative."""
    delay_alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.001
    """Chance that labels which come equally late whatever they say are said to differ in that."""
    max_weight: Annotated[float, Field(ge=1)] = 10
    """Largest training weight of a row, beside a mean of 1."""
    asked_power: Annotated[float, Field(ge=0, le=1)] = 0.5
    """What people were asked about weighs its inverse chance to be asked to this power: 1 trains as if
    on an even sample, 0 on what was asked for as it is, and the model then forgets the rows that are
    hardly ever asked about. In replays of the default mix (`benchmarks/labels.py`) 0.5 was better
    against random labels than 0 on three tables, and equal on texts."""
    poisoning: Poisoning | None = Poisoning()
    """Where labels come from several principals or sources, each one's new labels are tried."""
    max_class_ratio: Annotated[float, Field(ge=1)] | None = None
    """Of a class, no more train rows than so many times the rarest one's; any if absent."""
    max_segment_share: Annotated[float, Field(gt=0, le=1)] | None = None
    """Of one value of a segment, no larger share of the train rows; any if absent."""
    reweigh: list[ColumnName] = []
    """Protected attributes made independent of the label by weights (Kamiran and Calders 2012);
    those of `gate.fairness` if that stands in the file and this is empty."""
