"""Everything that decides the pool, found in its order: rows, who said the labels, what they weigh."""

import datetime as dt
import json
from collections.abc import Collection
from dataclasses import dataclass, replace

import duckdb

from feedback_assets.assets.arriving import Arriving, arriving
from feedback_assets.assets.materialize import Metadata
from feedback_assets.assets.models import champion
from feedback_assets.assets.pool_findings import Findings, find
from feedback_assets.assets.pool_source import pool_source
from feedback_assets.assets.pool_weights import (
    Factors,
    factors_of,
    scaled,
    weights_metadata,
    who_said,
)
from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.schema import Config
from feedback_assets.labels.arrival import Maturity
from feedback_assets.labels.pool import Sifting
from feedback_assets.labels.refusals import Refusals
from feedback_assets.labels.weights import Scale
from feedback_assets.tables.table import Snapshot

LEFT_OUT = ("quarantined", "poisoned")
"""Findings that a commit of the pool, and the manifest of each model, keep."""


@dataclass(frozen=True)
class Sifted:
    """What decides the pool.

    Attributes:
        findings: The sifting, and what it heeds.
        factors: What weighs.
        scale: How weights are scaled.
        inputs: Table to the version that was read.
        arriving: How late labels come; None before there is any.
    """

    findings: Findings
    factors: Factors
    scale: Scale
    inputs: dict[str, int]
    arriving: Arriving | None

    def details(self) -> dict[str, str]:
        """What a commit keeps of it: who is left out; nothing where nobody is."""
        refusals = self.findings.sifting.refusals
        kept = {
            "quarantined": sorted(refusals.quarantined),
            "poisoned": [batch.to_json() for batch in refusals.poisoned],
        }
        return {name: json.dumps(value) for name, value in kept.items() if value}

    def metadata(self, config: Config, train: int) -> Metadata:
        """For people."""
        return {
            **(self.arriving.metadata() if self.arriving else {}),
            **self.findings.metadata(),
            **weights_metadata(config, self.factors, self.scale, train),
        }


def sifted(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    feedback: Snapshot,
    standing: Maturity,
    as_of: dt.datetime,
    spent: Collection[str],
) -> Sifted:
    """Find what decides the pool.

    Args:
        space: The loop.
        con: A connection.
        feedback: The feedback table.
        standing: Which days are mature.
        as_of: Nothing received later is used.
        spent: Partitions that have judged enough candidates.
    """
    config, source = space.config, pool_source(space, feedback)
    said = who_said(config, con, source)
    late = arriving(space, con, feedback, as_of, standing)
    weighing = late.weighing if late is not None else None
    factors = factors_of(config, said, weighing)
    refusals = Refusals(untrusted=factors.untrusted, unknown_chance=factors.unknown_chance)
    if weighing is not None and weighing.partitions:
        refusals = replace(
            refusals,
            immature=tuple(weighing.partitions),
            immature_counts=weighing.counts_sql("feedback"),
        )
    sifting = Sifting(
        config, source.relation, source.columns, standing.partitions, as_of, spent=tuple(spent),
        refusals=refusals, weight=factors.product,
    )  # fmt: skip
    findings = find(con, sifting, said, champion(space))
    scale = scaled(con, findings.sifting, factors)
    return Sifted(findings, factors, scale, source.inputs, late)
