"""New labels of one principal or source, tried on held-out rows that others labelled."""

import datetime as dt
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.assets.models import ModelVersion
from feedback_assets.config.schema import Config
from feedback_assets.labels.patterns import fits
from feedback_assets.labels.poisoning import Influence, Trial, influences
from feedback_assets.labels.refusals import WHO, Batch, Who
from feedback_assets.training.teacher import Teacher, codes_of

MOST_TAUGHT = 10_000
MOST_HELD = 5_000
MOST_BATCHES = 30
"""Principals or sources whose new labels are tried apart; the others' together."""


def poisons(
    config: Config, rows: pd.DataFrame, champion: ModelVersion | None, as_of: dt.datetime
) -> tuple[list[Influence], list[Batch], str]:
    """Try what is new since the champion was trained; what he was spared stays out."""
    limits = config.pool.poisoning
    if limits is None:
        return [], [], "pool.poisoning is off"
    if champion is None:
        return [], [], "no model is in production: nothing is new yet"
    carried = [
        batch
        for batch in map(Batch.from_json, champion.manifest["pool"].get("poisoned", []))
        if not all(fits(name, config.trust.cleared) for name in batch.names)
    ]
    for batch in carried:
        rows = rows[~batch.holds(rows)].reset_index(drop=True)
    since, after = champion.as_of, champion.train_end
    # What he was not trained on: labels that came since, and rows that were held out or too young.
    late = rows["label_received_time"] > pd.Timestamp(since)
    new = (late | (rows["event_time"] > pd.Timestamp(after))).to_numpy(np.bool_)
    train = (rows["fa_outcome"] == "train").to_numpy(np.bool_)
    known = np.flatnonzero(train & ~new)[:MOST_TAUGHT]
    held = np.flatnonzero(~train)[:MOST_HELD]
    whole = Batch("label_source", (), since, as_of, after)
    candidates = np.flatnonzero(train & new)
    trials = [
        trial
        for column in WHO
        for trial in trials_by(column, rows, candidates, held, config, whole)
    ]
    if not len(known) or not trials:
        return [], carried, "no new labels of several principals or sources to try"
    codes, kinds = codes_of(rows["label"], config)
    teacher = Teacher(config, rows, codes, kinds, timed=False)

    def losses(
        taught: npt.NDArray[np.int64], asked: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        likely = teacher(taught, asked)[np.arange(len(asked)), codes[asked]]
        return np.asarray(-np.log(np.clip(likely, 0.01, 1.0)), np.float64)

    found = influences(trials, known, losses, limits)
    out = sum(one.refused for one in found)
    return found, carried, f"{len(found)} batches of new labels tried, {out} refused"


def trials_by(
    column: Who,
    rows: pd.DataFrame,
    new: npt.NDArray[np.int64],
    held: npt.NDArray[np.int64],
    config: Config,
    whole: Batch,
) -> list[Trial]:
    """New labels by principal or by source: the large ones apart, the others together."""
    limits = config.pool.poisoning
    names = rows[column].iloc[new]
    sizes = names.value_counts()
    if len(sizes) < 2 or limits is None:
        return []
    sizes = sizes.sort_index().sort_values(ascending=False, kind="stable")
    trusted = [fits(str(name), config.trust.cleared) for name in sizes.index]
    sizes = sizes[~np.array(trusted, np.bool_)]
    apart = [str(name) for name in sizes[sizes >= limits.min_rows].index[:MOST_BATCHES]]
    rest = sorted(str(name) for name in sizes.index if str(name) not in set(apart))
    groups: list[tuple[str, ...]] = [(name,) for name in apart]
    if rest and sizes[rest].sum() >= limits.min_rows:
        groups.append(tuple(rest))
    whose = rows[column].to_numpy(object)
    return [
        Trial(
            replace(whole, column=column, names=group),
            new[np.isin(whose[new].astype(str), group)][:MOST_TAUGHT],
            held[~np.isin(whose[held].astype(str), group)],
        )
        for group in groups
    ]
