"""Limits that the pool's own rows ask for: principals, automatic labels, classes, segments."""

from dataclasses import replace

import duckdb
import numpy as np
import numpy.typing as npt

from feedback_assets.assets.pool_weights import Said
from feedback_assets.labels.balance import automatic_limit, class_limit, share_limit
from feedback_assets.labels.judges import AUTOMATIC
from feedback_assets.labels.outcomes import OVER_AUTOMATIC, OVER_CAP, OVER_CLASS, OVER_SEGMENT
from feedback_assets.labels.pool import Sifting
from feedback_assets.labels.refusals import Limit
from feedback_assets.labels.trust import most_rows
from feedback_assets.sqltext import ident


def heeding(sifting: Sifting, **found: object) -> Sifting:
    """The sifting with more refusals."""
    return replace(sifting, refusals=replace(sifting.refusals, **found))  # type: ignore[arg-type]


def limited(con: duckdb.DuckDBPyConnection, sifting: Sifting, said: Said) -> Sifting:
    """The sifting with the limits that its own rows ask for, one after the other."""
    config = sifting.config
    if said.principals >= config.trust.cap_from:
        sizes = sizes_by(con, sifting, "label_principal")
        most = most_rows(sizes, config.trust)
        sifting = with_limit(sifting, "label_principal", most, OVER_CAP, sizes)
    if config.review.automatic is not None:
        own = f"CASE WHEN label_source = '{AUTOMATIC}' THEN label_source END"
        automatic, every = sizes_by(con, sifting, own).sum(), sizes_by(con, sifting, "'all'").sum()
        most = automatic_limit(automatic, every - automatic, config.review.automatic.max_share)
        sifting = with_limit(sifting, own, most, OVER_AUTOMATIC)
    if config.pool.max_class_ratio is not None and config.label.kind != "regression":
        sizes = sizes_by(con, sifting, "label")
        most = class_limit(sizes.tolist(), config.pool.max_class_ratio)
        sifting = with_limit(sifting, "label", most, OVER_CLASS)
    for segment in config.columns.segments if config.pool.max_segment_share else []:
        sizes = sizes_by(con, sifting, ident(segment))
        most = share_limit(sizes.tolist(), config.pool.max_segment_share or 1.0)
        sifting = with_limit(sifting, ident(segment), most, OVER_SEGMENT)
    return sifting


def with_limit(
    sifting: Sifting,
    group: str,
    most: int | None,
    reason: str,
    sizes: npt.NDArray[np.int64] | None = None,
) -> Sifting:
    """The sifting with one more limit, unless it takes nothing out."""
    if most is None or (sizes is not None and sizes.max(initial=0) <= most):
        return sifting
    return heeding(sifting, limits=(*sifting.refusals.limits, Limit(group, most, reason)))


def sizes_by(con: duckdb.DuckDBPyConnection, sifting: Sifting, group: str) -> npt.NDArray[np.int64]:
    """Train rows by group, largest first."""
    found = con.execute(
        f"""{sifting.outcomes()}
SELECT COUNT(*) AS n FROM outcomes WHERE fa_outcome = 'train' AND {group} IS NOT NULL
GROUP BY {group} ORDER BY n DESC"""
    ).fetchall()
    return np.array([n for (n,) in found], np.int64)
