"""A page for each judged day and for each incident, from the stored reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.grain import partition_end, partition_start
from feedback_assets.labels.selection import selection_words
from feedback_assets.reports.day_page import day_page
from feedback_assets.reports.facts import DayFacts, Deed, IncidentFacts, Links
from feedback_assets.reports.incident_page import incident_page
from feedback_assets.reports.incidents import incidents
from feedback_assets.tables.table import Snapshot

TABLES = ("drift_report", "performance_report", "sla", "findings")
RECENT_DAYS = 28
BEFORE_DAYS = 14
"""Days before an incident that its page shows."""
DEEDS = frozenset({"retrain", "promote", "refuse", "rollback"})


@dataclass(frozen=True)
class Book:
    """The newest days of all reports, and where their pages are."""

    space: LoopSpace
    tables: Mapping[str, pd.DataFrame]
    """Rows by table."""
    days: pd.DataFrame
    """The days' own verdicts, oldest first."""
    incidents: Sequence[Sequence[str]]
    newest: str
    """The loop's newest judged day."""

    def page(self, key: str) -> Path:
        """Where a day's page is."""
        return self.space.reports / "days" / f"{key}.html"

    def incident_of(self, key: str) -> Sequence[str]:
        """The incident that a day belongs to; empty if it belongs to none."""
        return next((days for days in self.incidents if key in days), ())

    def incident_page(self, days: Sequence[str]) -> Path:
        """Where an incident's page is: named after its first day, it stays while it grows."""
        return self.space.reports / "incidents" / f"{days[0]}.html"

    def rows(self, table: str, keys: Sequence[str]) -> pd.DataFrame:
        """A table's rows of some days."""
        frame = self.tables[table]
        return frame[frame["partition_key"].isin(keys)]


def open_book(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    snapshots: Mapping[str, Snapshot],
    keys: Sequence[str],
) -> Book:
    """Read what the pages of these days, and of their incidents, show."""
    known = list(snapshots["drift_report"].partitions())
    earlier = [key for key in known if key <= max(keys)]
    recent = earlier[-RECENT_DAYS - BEFORE_DAYS - len(keys) :]
    tables = {
        name: con.execute(f"SELECT * FROM {taken.relation(recent)} ORDER BY partition_key").df()
        for name, taken in snapshots.items()
    }
    drift = tables["drift_report"]
    own = drift[
        (drift["role"] == "day") & (drift["against"] == space.config.drift.references[0].name)
    ]
    return Book(space, tables, own, incidents(own, tables["sla"]), known[-1])


def write_book(book: Book, keys: Sequence[str], next_steps: Sequence[str]) -> dict[str, DayFacts]:
    """Write the pages of these days and of their incidents; returns what each day's page tells."""
    facts = {key: day_facts(book, key, next_steps) for key in keys}
    for key, day in facts.items():
        day_page(day, book.page(key))
    for days in {tuple(days) for key in keys if (days := book.incident_of(key))}:
        incident_page(incident_facts(book, days, next_steps), book.incident_page(days))
    return facts


def day_facts(book: Book, key: str, next_steps: Sequence[str]) -> DayFacts:
    """What a day's page tells."""
    space, config = book.space, book.space.config
    order = book.days["partition_key"].tolist()
    place = order.index(key) if key in order else len(order)
    recent = [*order[max(0, place - RECENT_DAYS) : place], key]
    performance = book.rows("performance_report", recent)
    incident = book.incident_of(key)
    evidently = space.reports / "drift" / f"{key}.html"
    return DayFacts(
        title=config.title,
        partition_key=key,
        metric=config.metric,
        drift=book.rows("drift_report", [key]),
        performance=book.rows("performance_report", [key]),
        sla=book.rows("sla", [key]),
        findings=book.rows("findings", [key]),
        recent_days=book.days[book.days["partition_key"].isin(recent)],
        recent_performance=performance[performance["segment"] == ""],
        against=config.drift.references[0].name,
        reference=reference_words(book.days, key),
        next_steps=next_steps if key == book.newest else [past(space)],
        confidence=config.performance.confidence,
        selective=selection_words(config),
        links=Links(
            previous=f"{order[place - 1]}.html" if 0 < place <= len(order) else "",
            following=f"{order[place + 1]}.html" if place + 1 < len(order) else "",
            evidently=f"../drift/{key}.html" if evidently.exists() else "",
            incident=f"../incidents/{incident[0]}.html" if incident else "",
        ),
    )


def reference_words(days: pd.DataFrame, key: str) -> str:
    """The reference of a day's verdict in words."""
    found = days.loc[days["partition_key"] == key, "reference"]
    version = int(found.iloc[0]) if len(found) else 0
    return f"the training data of version {version}" if version else ""


def incident_facts(book: Book, days: Sequence[str], next_steps: Sequence[str]) -> IncidentFacts:
    """What an incident's page tells."""
    config, order = book.space.config, book.days["partition_key"].tolist()
    before = [key for key in order if key < days[0]][-max(BEFORE_DAYS, len(days)) :]
    shown = [*before, *days]
    findings = book.rows("findings", days)
    split = findings.loc[findings["kind"] == "drop_split", "partition_key"]
    once = findings[(findings["kind"] != "drop_split") | (findings["partition_key"] == split.max())]
    harm = once[once["kind"] == "harm"]
    if len(harm):
        once = once.drop(harm.index.difference([harm["value"].fillna(0.0).idxmax()]))
    ongoing = book.newest == days[-1]
    return IncidentFacts(
        title=config.title,
        days=days,
        metric=config.metric,
        drift=book.rows("drift_report", shown),
        performance=book.rows("performance_report", shown),
        sla=book.rows("sla", shown),
        findings=once,
        against=config.drift.references[0].name,
        reference=reference_words(book.days, days[-1]),
        deeds=deeds(book.space, days),
        next_steps=next_steps if ongoing else [past(book.space)],
        compared=f"the week to {split.max()} with the four weeks before" if len(split) else "",
        ongoing=ongoing,
        confidence=config.performance.confidence,
        pages={key: f"../days/{key}.html" for key in shown},
    )


def past(space: LoopSpace) -> str:
    """What stands for the plan where it is not today's."""
    return f"This is past; what was decided since tells: feedback-assets decisions {space.name}"


def deeds(space: LoopSpace, days: Sequence[str]) -> list[Deed]:
    """What the loop decided during an incident and in the week after it."""
    grain = space.config.partitions.grain
    first = partition_start(grain, days[0])
    last = partition_end(grain, days[-1]) + space.horizon
    return [
        Deed(f"{d.time:%Y-%m-%d}", d.kind, str(d.version or ""), d.reason)
        for d in decisions(space)
        if d.kind in DEEDS and first <= d.time <= last
    ]
