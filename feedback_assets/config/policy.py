"""The section `trigger` of a loop's file: when to train."""

import datetime as dt
import difflib
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from feedback_assets.config.judgement import ReportMetric
from feedback_assets.config.section import Strict

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class DriftCondition(Strict):
    """A day with material drift, since the last retrain."""

    columns: Annotated[int, Field(ge=1)] = 1
    """Columns that must have drifted on one day."""
    weight: Annotated[float, Field(ge=0)] = 0
    """What the weights of these columns (`drift.weights`) must add up to."""
    days: Annotated[int, Field(ge=1)] = 1
    """Days on which that must be so."""


class LossCondition(Strict):
    """A metric beyond doubt worse than when the model was judged."""

    worse_by: Annotated[float, Field(gt=0)]
    """By this share of the expected value, as in 0.1, also at the better end of its interval."""
    days: Annotated[int, Field(ge=1)] = 1
    """On so many days in a row; days of which it is not known are left out."""
    metric: ReportMetric | None = None
    """The metric; the gate's if absent."""


class AtLeast(Strict):
    """Some of several conditions."""

    n: Annotated[int, Field(ge=1)]
    """How many must hold."""
    of: Annotated[list["Condition"], Field(min_length=1)]
    """The conditions."""

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        if self.n > len(self.of):
            raise ValueError(f"n is {self.n}, but of lists only {len(self.of)} conditions")
        return self


class Condition(Strict):
    """One condition, or several joined by any, all or at_least: exactly one field is given."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    any: Annotated[list["Condition"], Field(min_length=1)] | None = None
    """One of these holds."""
    all: Annotated[list["Condition"], Field(min_length=1)] | None = None
    """Each of these holds."""
    at_least: AtLeast | None = None
    """So many of these hold."""
    drift: DriftCondition | None = None
    """A day's data drifted."""
    estimated_loss: LossCondition | None = None
    """The model is estimated to be worse, before labels are there."""
    realised_loss: LossCondition | None = None
    """The model is worse on the labels that have arrived."""
    sla_streak: Annotated[int, Field(ge=1)] | None = None
    """A promise (`performance.sla`) is missed so many checks in a row."""
    new_labels: Annotated[int, Field(ge=1)] | None = None
    """Labels that arrived since the newest model's training data."""
    coverage: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of the drifted days' rows that have their label: what a candidate could learn from."""
    every_days: Annotated[float, Field(gt=0)] | None = None
    """Days since the last retrain: a schedule."""

    @property
    def kind(self) -> str:
        """The name of the field that is given."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def parts(self) -> list["Condition"]:
        """The conditions that this one joins; none of a single one."""
        return self.any or self.all or (self.at_least.of if self.at_least else [])

    def leaves(self) -> Iterator["Condition"]:
        """The single conditions, in the order of the file."""
        for part in self.parts:
            yield from part.leaves()
        if not self.parts:
            yield self

    @model_validator(mode="before")
    @classmethod
    def _no_bare_list(cls, said: Any) -> Any:
        if isinstance(said, list):
            raise ValueError("several conditions are joined, as in {any: [...]}")  # noqa: TRY004
        return said

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        names = list(type(self).model_fields)
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) > 1:
            both = " and ".join(given)
            raise ValueError(
                f"give one condition, not {both}: list them below any, all or at_least"
            )
        if not given:
            empty = [
                f"{name} is empty, its defaults are {name}: {{}}" for name in self.model_fields_set
            ]
            hint = f" ({empty[0]})" if len(empty) == 1 else ""
            raise ValueError(f"give one condition{hint} of {', '.join(names)}")
        return self

    @model_serializer(mode="wrap")
    def _only_what_is_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        said: dict[str, Any] = handler(self)
        return {name: value for name, value in said.items() if value is not None}


AtLeast.model_rebuild()


class OfficeHours(Strict):
    """When something may happen by itself, so that somebody is there to look at it."""

    time_zone: str = "UTC"
    """As in Europe/Berlin."""
    days: Annotated[list[Weekday], Field(min_length=1)] = ["mon", "tue", "wed", "thu", "fri"]
    """Days of the week on which the hours begin."""
    start: dt.time = dt.time(9)
    """First moment, in quotes: "09:00"."""
    end: dt.time = dt.time(17)
    """The moment after the last; not after `start` means on the next day."""
    country: str | None = None
    """Country whose public holidays are no office days, as in DE or US."""
    region: str | None = None
    """Part of the country with holidays of its own, as in BY or CA."""
    holidays: list[dt.date] = []
    """Further days that are no office days."""

    @model_validator(mode="after")
    def _zone_is_known(self) -> Self:
        import zoneinfo

        try:
            zoneinfo.ZoneInfo(self.time_zone)
        except (LookupError, ValueError, OSError):
            near = difflib.get_close_matches(self.time_zone, zoneinfo.available_timezones(), n=1)
            hint = f"; did you mean {near[0]}?" if near else ", as in Europe/Berlin"
            raise ValueError(f"there is no time zone {self.time_zone}{hint}") from None
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError('write start and end as "09:00", in time_zone')
        return self

    @model_validator(mode="after")
    def _country_is_known(self) -> Self:
        if self.region and not self.country:
            raise ValueError("region needs the country that it is part of")
        if self.country:
            import holidays

            try:
                holidays.country_holidays(self.country, subdiv=self.region, years=2024)
            except NotImplementedError as error:
                raise ValueError(str(error)) from None
        return self


class Wait(Strict):
    """Train later where the labels that are still to come are worth more than the delay costs.

    A model trained with n labels of the new time is taken to give n / (n + half_labels) of what a
    retrain can gain, on each day that it serves. So training now gives that share on all
    `serves_days`; training d days later a larger share on fewer days. The day with the most decides.
    """

    half_labels: Annotated[int, Field(ge=1)] | None = None
    """New labels that bring half of the gain; if absent `min_new_labels`, or 1 if that is less."""
    serves_days: Annotated[float, Field(gt=0)] | None = None
    """Days that a new model serves; if absent the median time between past retrains, or 30."""
    max_days: Annotated[float, Field(gt=0)] = 14
    """Looks no further ahead than this."""
    least_gain: Annotated[float, Field(ge=0)] = 0.02
    """Waits only if that is better by this share."""


class Trigger(Strict):
    """When a candidate is trained: when its condition holds and nothing forbids it."""

    when: Condition = Condition(
        any=[Condition(drift=DriftCondition()), Condition(new_labels=5_000)]
    )
    """The condition. The first model waits for the largest `new_labels` in it, or `pool.min_rows`."""
    cooldown_days: Annotated[float, Field(ge=0)] = 7
    """No retrain so soon after the last, whatever the cause."""
    rearm: Annotated[float, Field(gt=0, le=1)] | None = None
    """Hysteresis: drift, a loss or a streak that caused the last retrain causes no other before a
    day was below this share of its threshold, it has grown by the inverse of this share, or another
    model was promoted; off if absent."""
    budget_per_month: Annotated[int, Field(ge=1)] | None = None
    """No more retrains than this in a calendar month (of the office's time zone); any if absent."""
    min_new_labels: Annotated[int, Field(ge=0)] = 500
    """Whatever the cause, no retrain with fewer new labels: it could learn nothing."""
    office_hours: OfficeHours | None = None
    """Train only then; at any time if absent."""
    wait: Wait | None = None
    """Wait for labels that are still to come where that is worth more; `{}` for the defaults, never
    if absent."""

    @property
    def label_quota(self) -> int | None:
        """The largest number of new labels that a condition waits for."""
        return max(
            (leaf.new_labels for leaf in self.when.leaves() if leaf.new_labels), default=None
        )
