"""What is known of a loop's labels that have come and that will: days, curves, words, pictures."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import dagster as dg
import duckdb
import pandas as pd

from feedback_assets.assets.answers import LEARNED_DAYS
from feedback_assets.assets.materialize import Metadata
from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.schema import Config
from feedback_assets.errors import ConfigError
from feedback_assets.labels.arrival import ArrivalCurve, Maturity, delay_counts_sql, maturity
from feedback_assets.labels.curves import group_curves
from feedback_assets.labels.exposure import waiting_counts_sql
from feedback_assets.labels.forecast import Forecast, forecast, last_week
from feedback_assets.labels.immature import Weighing, weighing
from feedback_assets.labels.outcome_delay import OutcomeDelay, outcome_delay
from feedback_assets.labels.selection import known_when_sql, selection_words
from feedback_assets.labels.survival import DelayCurve, delay_curve, segment_curves
from feedback_assets.reports.delay_plots import LINES, Line, delay_curves
from feedback_assets.reports.plots import markdown_image
from feedback_assets.tables.table import Snapshot

DRAWN_SEGMENTS = 2
"""Segments that have a panel of the picture: the first ones of the file."""
PICTURE = "share of rows whose label is there, by age"


@dataclass(frozen=True)
class Arriving:
    """How late the labels of a loop come.

    Attributes:
        config: the loop's.
        as_of: the moment of which it is said.
        standing: every day's rows and labels, and which days are mature.
        curves: by label value, of labels alone.
        delay: whether the delay depends on the label.
        waits: rows by delay and age (`waiting_counts_sql`).
        segments: segment column to value to its curve.
        selective: what selective labels mean, in words; empty where all can be known.
    """

    config: Config
    as_of: dt.datetime
    standing: Maturity
    curves: Mapping[str, ArrivalCurve]
    delay: OutcomeDelay
    waits: pd.DataFrame
    segments: Mapping[str, Mapping[str, DelayCurve]]
    selective: str

    @cached_property
    def weighing(self) -> Weighing:
        """Immature days that may be trained on with weights (`pool.immature`)."""
        return weighing(self.standing, self.curves, self.delay, self.config)

    @cached_property
    def week(self) -> Forecast:
        """What the newest seven ended days' labels have come to, and will."""
        keys = last_week([c.partition_key for c in self.standing.cohorts], self.config, self.as_of)
        return forecast(self.waits, self.config, self.as_of, keys)

    @cached_property
    def whole(self) -> DelayCurve:
        """The curve of all rows."""
        return delay_curve(self.waits, self.config)

    @property
    def lines(self) -> list[str]:
        """What there is to say, a sentence each."""
        said = [self.week.words(), self.delay.words()]
        whole = self.whole
        if whole.plateau == whole.plateau:
            low, high = whole.at(whole.max_delay_days)[1:]
            said.append(
                f"{whole.plateau:.1%} of all rows get a label ({low:.1%} to {high:.1%}), half of these "
                f"within {whole.age_at(0.5):.3g} days, 95% within {whole.age_at(0.95):.3g}"
            )
        return [*said, *(words for words in (self.weighing.words, self.selective) if words)]

    @property
    def frame(self) -> pd.DataFrame:
        """One row a day, oldest first, columns as the fields of `Cohort`."""
        return self.standing.frame()

    def metadata(self) -> Metadata:
        """For the pool and the performance report: words, and the curves as a picture."""
        said: Metadata = {
            "labels_in": self.week.words(),
            "delay_by_label": self.delay.words(),
            "delay_curves": dg.MetadataValue.md(markdown_image(self.picture(), PICTURE)),
        }
        if self.weighing.words:
            said["immature_days"] = self.weighing.words
        if self.selective:
            said["selective_labels"] = self.selective
        return said

    def picture(self) -> bytes:
        """Delay curves of all rows, by label value and by segment, as a PNG."""
        whole = self.whole
        ages = whole.ages
        panels = [("all rows", [Line("all", ages, whole.shares, whole.low, whole.high)])]
        by_value = sorted(whole.outcomes, key=lambda name: -whole.outcomes[name].max(initial=0))
        if len(by_value) > 1:
            lines = [Line(f"label {name}", ages, whole.outcomes[name]) for name in by_value]
            panels.append(("by label", lines))
        panels += [
            (f"by {segment}", [Line(name, ages, curve.shares) for name, curve in curves.items()])
            for segment, curves in self.segments.items()
            if curves
        ]
        return delay_curves(panels)


def arriving(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    as_of: dt.datetime,
    standing: Maturity | None = None,
) -> Arriving | None:
    """What is known of the labels of the newest days; None before there is any row.

    Args:
        space: The loop.
        con: A connection.
        source: The feedback table.
        as_of: Nothing received later is used.
        standing: Which days are mature, where the caller has settled that already.

    Raises:
        ConfigError: `label.selective.known_when` does not run on the feedback table.
    """
    config = space.config
    filled = [key for key, info in source.partitions().items() if info.rows][-LEARNED_DAYS:]
    if not filled:
        return None
    relation = source.relation(filled)
    counts = con.execute(delay_counts_sql(config, relation, as_of)).df()
    waits = con.execute(waiting_counts_sql(config, relation, as_of)).df()
    if counts.empty or waits.empty:
        return None
    curves = group_curves(counts, config, as_of)
    segments = {
        segment: segment_curves(
            con.execute(waiting_counts_sql(config, relation, as_of, segment)).df(), config, LINES
        )
        for segment in config.columns.segments[:DRAWN_SEGMENTS]
    }
    return Arriving(
        config,
        as_of,
        standing or maturity(counts, config, as_of),
        curves,
        outcome_delay(counts, config, as_of, curves),
        waits,
        segments,
        _selective(config, con, relation),
    )


def _selective(config: Config, con: duckdb.DuckDBPyConnection, relation: str) -> str:
    selective = config.label.selective
    if selective is None:
        return ""
    try:
        ((rows, possible),) = con.execute(
            f"SELECT COUNT(*), COUNT(*) FILTER ({known_when_sql(config)}) "
            f"FROM {relation} AS feedback WHERE role <> 'shadow'"
        ).fetchall()
    except duckdb.Error as error:
        raise ConfigError(
            f"{config.name}: label.selective.known_when {selective.known_when!r} does not run on a row "
            f"of the feedback table: {str(error).splitlines()[0]}"
        ) from error
    return selection_words(config, int(rows), int(possible))
