"""Which rows of the feedback table may be trained on, which are held out, and why the rest may not.

The text is portable SQL (DuckDB and Spark) and every row gets exactly one outcome: `train`,
`holdout`, or the first reason in `REASONS` that speaks against it. So the counts always add up.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feedback_assets.config.schema import Config
from feedback_assets.labels.outcomes import MAX_TWIN_SHARE, REASONS, holdout_start, outcomes_sql
from feedback_assets.labels.refusals import NONE, Refusals
from feedback_assets.sqltext import ident, literal

__all__ = ["REASONS", "Sifting", "eligibility_sql", "exclusion_sql", "fingerprint", "holdout_sql",
           "holdout_start", "training_sql"]  # fmt: skip


@dataclass(frozen=True)
class Sifting:
    """Everything that decides which rows of a feedback table are in the pool.

    Attributes:
        config: The loop's.
        relation: Text for FROM: the feedback table.
        columns: The table's columns, `partition_key` included, in the wanted order.
        mature: Keys of the mature partitions (`Maturity.partitions`).
        as_of: Nothing received later is used.
        max_twin_share: Rows with the features of another row are normal when their share is
            larger (few or coarse features); then equal features are no sign of a fault. Text is
            always compared.
        spent: Keys of partitions whose rows have judged enough candidates (`holdout_start`).
        refusals: What was found out beside the rows.
        weight: SQL over `feedback` of what a row weighs beside others; rows of 0 leave.
    """

    config: Config
    relation: str
    columns: Sequence[str]
    mature: Sequence[str]
    as_of: dt.datetime
    max_twin_share: float = MAX_TWIN_SHARE
    spent: Collection[str] = ()
    refusals: Refusals = NONE
    weight: str = "1e0"

    def outcomes(self) -> str:
        """Common table expressions up to `outcomes`: every row with `fa_outcome` and `fa_weight`."""
        return outcomes_sql(
            self.config, self.relation, self.columns, self.mature, self.as_of,
            self.max_twin_share, self.spent, self.refusals, self.weight,
        )  # fmt: skip


def eligibility_sql(sifting: Sifting, weight: str = "1e0") -> str:
    """SQL of the labeled pool: eligible rows, their `split` (train or holdout) and `weight`.

    The newest `pool.holdout_days` of mature time are held out; no row is in both.

    Args:
        sifting: What decides.
        weight: SQL of the training weight, over the row and its `fa_weight`; held-out rows weigh 1.
    """
    names = ", ".join(ident(c) for c in sifting.columns)
    return f"""
{sifting.outcomes()}
SELECT {names}, fa_outcome AS split,
  CASE WHEN fa_outcome = 'train' THEN {weight} ELSE 1e0 END AS weight
FROM outcomes WHERE fa_outcome IN ('train', 'holdout')
""".strip()


def exclusion_sql(sifting: Sifting) -> str:
    """SQL that counts every row of the feedback table once: columns `outcome` VARCHAR, `n` BIGINT.

    Outcomes are train, holdout and `REASONS`.
    """
    return f"""
{sifting.outcomes()}
SELECT fa_outcome AS outcome, COUNT(*) AS n FROM outcomes GROUP BY fa_outcome
""".strip()


def training_sql(config: Config, relation: str) -> str:
    """SQL of the rows a candidate trains on: the pool's train rows, windowed and sampled.

    `model.window_days` counts back from the newest train row; of more than `model.max_rows` rows
    those with the smallest hash of seed and id are taken: the same rows whatever their order.

    Args:
        config: the loop's.
        relation: text for FROM: the labeled pool.
    """
    window = ""
    if config.model.window_days is not None:
        newest = f"(SELECT MAX(event_time) FROM {relation} AS newest WHERE split = 'train')"
        window = f"AND event_time > {newest} - INTERVAL {config.model.window_days} DAY"
    drawn = f"MD5(CONCAT({literal(f'{config.model.seed}:')}, prediction_id)), prediction_id"
    return f"""
SELECT * FROM {relation} AS pool WHERE split = 'train' {window}
ORDER BY {drawn} LIMIT {config.model.max_rows}
""".strip()


def holdout_sql(relation: str) -> str:
    """SQL of the pool's held-out rows, in the order of their ids."""
    return f"SELECT * FROM {relation} AS pool WHERE split = 'holdout' ORDER BY prediction_id"


def fingerprint(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest's canonical JSON: equal for equal rows, however they came about.

    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
