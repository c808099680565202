"""Days of a profile read back as tallies: what verdicts are made from."""

from collections.abc import Mapping, Sequence

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.drift.binning import Tally
from feedback_assets.drift.profile import WHOLE, ReferenceProfile, SliceKey
from feedback_assets.sqltext import literals

ANSWERS = ("score", "prediction")
"""Columns that belong to the version that answered, not to the traffic."""


def stretch(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    profile: ReferenceProfile,
    days: Sequence[str],
    against: int,
) -> dict[SliceKey, dict[str, Tally]]:
    """Counts by slice and column, one group a day.

    Answers are counted of the version itself where it has answered (a reference's scores are its
    own, and another model's differ without any drift), else of all.

    Args:
        con: A connection; two small relations are registered on it for the time of the query.
        relation: Text for FROM: the profiles, of any partitions.
        profile: The reference in whose cells was counted.
        days: Partition keys, oldest first; the groups of the tallies.
        against: The reference's version; rows of other references are left out.
    """
    sizes = [column.bins.size for column in profile.columns.values()]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    slices = [WHOLE, *profile.segments]
    con.register("fa_days", pd.DataFrame({"name": list(days), "day": np.arange(len(days))}))
    con.register("fa_columns", pd.DataFrame({"name": list(profile.columns), "start": starts[:-1]}))
    con.register("fa_slices", _numbered(slices))
    try:
        found = con.execute(
            f"""SELECT slice, d.day * {starts[-1]} + c.start + p.bin AS cell, p.rows, p.total,
                  p.column_name IN ({literals(ANSWERS)}) AS answer,
                  p.model_version = '{against}' AS own
                FROM {relation} AS p
                JOIN fa_days AS d ON d.name = p.partition_key
                JOIN fa_columns AS c ON c.name = p.column_name
                JOIN fa_slices AS s ON s.segment = p.segment AND s.value = p.segment_value
                WHERE p.against = {against}"""
        ).fetchnumpy()
    finally:
        for name in ("fa_days", "fa_columns", "fa_slices"):
            con.unregister(name)
    rows = {name: np.asarray(values) for name, values in found.items()}
    if (rows["answer"] & rows["own"]).any():
        kept = rows["own"] | ~rows["answer"]
        rows = {name: values[kept] for name, values in rows.items()}
    shape = (len(days), int(starts[-1]))
    tallies = {}
    for number, key in enumerate(slices):
        here = {name: values[rows["slice"] == number] for name, values in rows.items()}
        if number == 0 or len(here["cell"]):
            tallies[key] = _split(here, shape, list(profile.columns), starts)
    return tallies


def _numbered(slices: Sequence[SliceKey]) -> pd.DataFrame:
    frame = pd.DataFrame(slices, columns=["segment", "value"], dtype="object")
    return frame.assign(slice=np.arange(len(slices)))


def _split(
    rows: Mapping[str, npt.NDArray[np.generic]],
    shape: tuple[int, int],
    names: Sequence[str],
    starts: npt.NDArray[np.int64],
) -> dict[str, Tally]:
    cells, size = rows["cell"].astype(np.int64), shape[0] * shape[1]
    counts, sums = (
        np.bincount(cells, weights=rows[name].astype(np.float64), minlength=size)
        .reshape(shape)
        .astype(np.float64, copy=False)
        for name in ("rows", "total")
    )
    whole = counts.astype(np.int64)
    return {
        name: Tally(whole[:, low:high], sums[:, low:high])
        for name, low, high in zip(names, starts[:-1], starts[1:], strict=True)
    }
