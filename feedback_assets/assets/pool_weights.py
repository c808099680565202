"""What the pool's rows weigh: which factors there are for this loop, and how they are scaled."""

from dataclasses import dataclass

import dagster as dg
import duckdb

from feedback_assets.assets.materialize import Metadata
from feedback_assets.assets.pool_source import PoolSource
from feedback_assets.config.schema import Config
from feedback_assets.labels.immature import Weighing
from feedback_assets.labels.judges import by_people_sql
from feedback_assets.labels.pool import Sifting
from feedback_assets.labels.reweigh import attributes
from feedback_assets.labels.selection import is_weighted, selection_weight_sql
from feedback_assets.labels.weights import (
    Scale,
    asked_sql,
    confidence_sql,
    counts_sql,
    scale_of,
    trust_sql,
)
from feedback_assets.sqltext import number

ROW = "feedback"


@dataclass(frozen=True)
class Said:
    """Who said the labels that there are.

    Attributes:
        principals: How many.
        sources: How many.
        unsure: Labels whose confidence is below 1.
        asked: Labels that people were asked for with a known chance.
        inverse: Mean of the inverse of that chance, to the power of `pool.asked_power`.
    """

    principals: int
    sources: int
    unsure: int
    asked: int
    inverse: float


@dataclass(frozen=True)
class Factors:
    """SQL over `feedback` of each factor of a row's weight, by name; none where all weigh 1."""

    parts: dict[str, str]

    @property
    def product(self) -> str:
        """SQL of their product."""
        return " * ".join(f"({part})" for part in self.parts.values()) or "1e0"

    @property
    def untrusted(self) -> str:
        """SQL: nobody trusts the label; "" where none is of that kind."""
        own = [self.parts[name] for name in ("trust", "confidence") if name in self.parts]
        return " OR ".join(f"({part}) <= 0" for part in own)

    @property
    def unknown_chance(self) -> str:
        """SQL: the label has no known chance; "" where all have."""
        return f"({self.parts['selection']}) <= 0" if "selection" in self.parts else ""


def who_said(config: Config, con: duckdb.DuckDBPyConnection, source: PoolSource) -> Said:
    """Count who said the labels that there are."""
    power = number(-config.pool.asked_power)
    chance = "asked_probability" if source.asked else "CAST(NULL AS DOUBLE)"
    asked = by_people_sql("label_source", "label_principal")
    # Whole millionths: a sum of floats would depend on the order of the rows.
    row = con.execute(
        f"""SELECT COUNT(DISTINCT label_principal), COUNT(DISTINCT label_source),
              COUNT(*) FILTER (label_confidence < 1),
              COUNT(*) FILTER ({asked} AND {chance} > 0),
              SUM(CAST(ROUND(1e6 * POWER({chance}, {power})) AS BIGINT))
                FILTER ({asked} AND {chance} > 0)
            FROM {source.relation} AS feedback WHERE label_status = 'accepted'"""
    ).fetchone()
    principals, sources, unsure, reached, inverse = row or (0, 0, 0, 0, None)
    return Said(
        principals, sources, unsure, reached, float(inverse) / 1e6 / reached if reached else 1.0
    )


def factors_of(config: Config, said: Said, weighing: Weighing | None) -> Factors:
    """The factors that are not 1 for all rows."""
    parts = {}
    trust = config.trust
    if trust.weights or trust.default < 1 or config.review.automatic:
        parts["trust"] = trust_sql(config, ROW)
    if said.unsure:
        parts["confidence"] = confidence_sql(ROW)
    if weighing is not None and weighing.partitions:
        parts["maturity"] = weighing.weight_sql(ROW)
    if is_weighted(config):
        parts["selection"] = selection_weight_sql(config, ROW)
    if said.asked and config.pool.asked_power:
        power = config.pool.asked_power
        parts["chance to be asked"] = asked_sql(ROW, power, said.inverse)
    return Factors(parts)


def scaled(con: duckdb.DuckDBPyConnection, sifting: Sifting, factors: Factors) -> Scale:
    """How the weights of the train rows are scaled; even where nothing weighs."""
    if not factors.parts and not attributes(sifting.config):
        return Scale(even=True)
    counts = con.execute(counts_sql(sifting.config, sifting.outcomes())).df()
    return scale_of(counts, sifting.config)


def weights_metadata(config: Config, factors: Factors, scale: Scale, train: int) -> Metadata:
    """What weighs, in words, and what it costs."""
    fair = attributes(config)
    names = [*factors.parts, *([f"reweighing of {', '.join(fair)}"] if fair else [])]
    if scale.even:
        every = "all rows weigh the same"
        return {"weights": f"{every}: {', '.join(names)} differ nowhere" if names else every}
    return {
        "weights": (
            f"{' x '.join(names)}; {train:,} rows are worth {scale.effective:,.0f} equal ones"
            + (f", {scale.cut:.1%} cut at {scale.most:g}" if scale.cut else "")
        ),
        "effective_train_rows": dg.MetadataValue.float(scale.effective),
    }
