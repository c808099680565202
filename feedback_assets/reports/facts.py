"""What the pages of a day and of an incident tell about: plain frames and values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from feedback_assets.causes.split import ASSUMPTIONS


@dataclass(frozen=True)
class Deed:
    """One thing the loop did.

    Attributes:
        day: the partition key or date on which it was done.
        kind: as the ledger has it: retrain, promote, refuse, roll_back.
        version: model version, empty if none.
        reason: why, in words.
    """

    day: str
    kind: str
    version: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Links:
    """Addresses of other pages, relative to the page; empty where there is no such page."""

    previous: str = ""
    following: str = ""
    evidently: str = ""
    incident: str = ""


@dataclass(frozen=True)
class DayFacts:
    """All that is known of one partition.

    Attributes:
        title: the loop's title.
        partition_key: the judged partition.
        metric: the gate's metric, told first.
        drift: `drift_report` rows of the partition: every reference, column and slice.
        performance: `performance_report` rows of the partition.
        sla: `sla` rows of the partition.
        findings: `findings` rows of the partition, only what was found.
        recent_days: `drift_report` rows with role "day" of the last days and the judged one.
        recent_performance: `performance_report` rows of the same days, at least the gate's metric,
            period "day", everything, all versions.
        against: the reference whose verdict is the day's.
        reference: that reference in words, as in "version 7's training data".
        next_steps: what the loop will do next, one sentence each.
        confidence: of every interval.
        links: to other pages.
        selective: what it means that the truth becomes known of some rows only; empty if of all.
    """

    title: str
    partition_key: str
    metric: str
    drift: pd.DataFrame
    performance: pd.DataFrame
    sla: pd.DataFrame
    findings: pd.DataFrame
    recent_days: pd.DataFrame
    recent_performance: pd.DataFrame
    against: str = "training"
    reference: str = ""
    next_steps: Sequence[str] = ()
    confidence: float = 0.95
    links: Links = field(default_factory=Links)
    selective: str = ""


@dataclass(frozen=True)
class IncidentFacts:
    """All that is known of consecutive partitions with drift or a missed promise.

    Attributes:
        title: the loop's title.
        days: the incident's partition keys, oldest first, at least one.
        metric: the gate's metric, told first.
        drift: `drift_report` rows of these days and of about as many before, every column and slice.
        performance: `performance_report` rows of the same days; period "day" is drawn.
        sla: `sla` rows of the same days.
        findings: `findings` rows of the incident's days, only what was found; kind "drop_split" once.
        against: the reference whose verdict counts.
        reference: that reference in words.
        deeds: what the loop did from the incident's first day on.
        next_steps: what it will do next, one sentence each.
        compared: which periods the split compares, in words; empty if nothing was split.
        assumptions: those of the split.
        ongoing: whether the newest day of the loop belongs to it.
        confidence: of every interval.
        pages: partition key → address of the day's page, relative to the incident's.
    """

    title: str
    days: Sequence[str]
    metric: str
    drift: pd.DataFrame
    performance: pd.DataFrame
    sla: pd.DataFrame
    findings: pd.DataFrame
    against: str = "training"
    reference: str = ""
    deeds: Sequence[Deed] = ()
    next_steps: Sequence[str] = ()
    compared: str = ""
    assumptions: Sequence[str] = ASSUMPTIONS
    ongoing: bool = True
    confidence: float = 0.95
    pages: Mapping[str, str] = field(default_factory=dict)
