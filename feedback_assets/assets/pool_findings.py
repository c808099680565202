"""Whose labels do not enter the pool: principals in quarantine, batches that poison."""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.assets.materialize import Metadata
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.pool_limits import heeding, limited
from feedback_assets.assets.pool_poisoning import poisons
from feedback_assets.assets.pool_weights import Said
from feedback_assets.config.schema import Config
from feedback_assets.labels.judges import AUTOMATIC
from feedback_assets.labels.poisoning import Influence
from feedback_assets.labels.pool import Sifting
from feedback_assets.labels.refusals import WHO, Batch
from feedback_assets.labels.trust import Verdicts, judge_principals, nothing
from feedback_assets.sqltext import idents
from feedback_assets.training.teacher import Teacher, codes_of

MOST_ROWS = 200_000
"""Rows that findings are made from, drawn by a hash of the id."""
SHOWN = 20


@dataclass(frozen=True)
class Findings:
    """What was found, and the sifting that heeds it."""

    sifting: Sifting
    verdicts: Verdicts
    influences: Sequence[Influence] = ()
    carried: Sequence[Batch] = ()
    poisoning: str = ""

    def metadata(self) -> Metadata:
        """For people: who is in quarantine, what poisons, by which figures."""
        said: Metadata = {"principals": self.verdicts.words, "poisoning": self.poisoning}
        if len(self.verdicts.frame):
            said["principals_judged"] = table_of(readable(self.verdicts.frame).head(SHOWN))
        if self.verdicts.quarantined:
            said["principals_in_quarantine"] = ", ".join(self.verdicts.quarantined[:SHOWN])
        if self.influences:
            rows = [
                {
                    "labels": one.batch.words, "rows": one.rows, "held_out_rows": one.held,
                    "loss_change": one.change, "low": one.low, "high": one.high,
                    "refused": one.refused,
                }
                for one in sorted(self.influences, key=lambda one: -one.low)[:SHOWN]
            ]  # fmt: skip
            said["new_labels_tried"] = table_of(pd.DataFrame(rows))
        return said


def find(
    con: duckdb.DuckDBPyConnection, sifting: Sifting, said: Said, champion: ModelVersion | None
) -> Findings:
    """Look at who said the labels, as far as several did.

    Args:
        con: A connection.
        sifting: The pool before anything is found.
        said: Who said them.
        champion: What it was trained on is known; labels received since are new.
    """
    config = sifting.config
    verdicts = nothing("no label says who gave it")
    if said.principals < 2 and said.sources < 2:
        return Findings(limited(con, sifting, said), verdicts, poisoning="one source of labels")
    rows = rows_of(con, sifting)
    if said.principals and not config.trust.quarantine:
        verdicts = nothing("trust.quarantine is off")
    elif said.principals and len(rows):
        verdicts = verdicts_of(config, rows)
        sifting = heeding(sifting, quarantined=tuple(verdicts.quarantined))
        rows = rows[~rows["label_principal"].isin(verdicts.quarantined)].reset_index(drop=True)
    tried, carried, words = poisons(config, rows, champion, sifting.as_of)
    poisoned = (*carried, *(one.batch for one in tried if one.refused))
    sifting = heeding(sifting, poisoned=poisoned)
    return Findings(limited(con, sifting, said), verdicts, tried, carried, words)


def rows_of(con: duckdb.DuckDBPyConnection, sifting: Sifting) -> pd.DataFrame:
    """The pool's rows so far in the order of a hash: who said the label, when, and the features."""
    config = sifting.config
    names = ["prediction_id", "event_time", "label", "label_received_time", *WHO, *config.features]
    return con.execute(
        f"""{sifting.outcomes()}
SELECT {idents(dict.fromkeys(names))}, fa_outcome FROM outcomes
WHERE fa_outcome IN ('train', 'holdout') AND label_source IS DISTINCT FROM '{AUTOMATIC}'
ORDER BY MD5(prediction_id), prediction_id LIMIT {MOST_ROWS}"""
    ).df()


def verdicts_of(config: Config, rows: pd.DataFrame) -> Verdicts:
    """Judge the principals by the rows, which come in the order of a hash."""
    codes, kinds = codes_of(rows["label"], config)
    who = rows["label_principal"].to_numpy(object)
    return judge_principals(
        who, codes, micros_of(rows), Teacher(config, rows, codes, kinds),
        config.trust,
    )  # fmt: skip


def micros_of(rows: pd.DataFrame) -> npt.NDArray[np.int64]:
    """When the labels were received, microseconds since 1970 [n]."""
    return rows["label_received_time"].dt.as_unit("us").astype("int64").to_numpy()


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Verdicts as people read them: moments instead of microseconds."""
    since = pd.to_datetime(frame["since"], unit="us", utc=True)
    return frame.assign(since=since.dt.strftime("%Y-%m-%d %H:%M").fillna(""))


def table_of(frame: pd.DataFrame) -> dg.TableMetadataValue:
    """A frame as a metadata table; what is null is an empty text."""
    records = [
        dg.TableRecord({str(k): _cell(v) for k, v in row.items()})
        for row in frame.to_dict("records")
    ]
    schema = dg.TableSchema(columns=[dg.TableColumn(str(name)) for name in frame.columns])
    return dg.MetadataValue.table(records=records, schema=schema)


def _cell(value: object) -> str | int | float | bool:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return round(float(value), 4) if np.isfinite(value) else ""
    return "" if value is None else str(value)
