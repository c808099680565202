"""One label out of what several people said of a prediction."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import LabelKind
from feedback_assets.labels.dawid_skene import dawid_skene
from feedback_assets.labels.votes import Votes
from feedback_assets.performance.metrics import floats

COLUMNS = (
    "prediction_id", "value", "confidence", "answers", "annotator", "unanimous", "settled", "spread",
)  # fmt: skip
SETTLED = 0.6
"""A class with a smaller chance is no consensus."""
_MAD_TO_SD = 1.4826


def consensus(answers: pd.DataFrame, kind: LabelKind, classes: Sequence[str] = ()) -> pd.DataFrame:
    """One row a prediction that anybody labelled, in order of first appearance.

    Classes are decided by Dawid and Skene's model with priors, which learns from all answers whom to
    believe; where everybody said the same, that is the value, and only its confidence is the model's.
    A number is the median of the answers. Give all answers ever, not only those about today's
    predictions: people are known by everything that they said.

    Args:
        answers: `prediction_id`, `annotator`, `value` (text in the label's one spelling, null for a
            skip), and `known` if there are golden answers (null elsewhere; it counts as the truth).
            In order of time: the last of a person's answers to one prediction counts.
        kind: The label's.
        classes: Every class; those that were named if empty.

    Returns:
        `prediction_id`; `value`; `confidence` (chance that it is right, 0 to 1; null for numbers);
        `answers` (people); `annotator` (who, where it was one person, else null); `unanimous`;
        `settled` (False where the people disagree and nothing decides, or are not to be believed:
        ask once more); `spread` (standard deviation of the answers by their median absolute
        deviation; null for classes and for a single answer).
    """
    said = answers.loc[answers["value"].notna()]
    if said.empty:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in COLUMNS})
    order = said["prediction_id"].drop_duplicates()
    said = said.drop_duplicates(["prediction_id", "annotator"], keep="last")
    made = _numbers(said) if kind == "regression" else _named(said, kind, classes)
    return made.set_index("prediction_id").loc[order].reset_index()[list(COLUMNS)]


def _named(said: pd.DataFrame, kind: LabelKind, classes: Sequence[str]) -> pd.DataFrame:
    possible = list(classes) or (["0", "1"] if kind == "binary" else [])
    votes = Votes.of(said["prediction_id"], said["annotator"], said["value"], possible)
    known = _known(said, votes) if "known" in said else None
    chances = dawid_skene(votes, known).posterior
    shares = votes.counts()
    unanimous = (shares > 0).sum(axis=1) == 1
    chosen = np.where(unanimous, shares.argmax(axis=1), chances.argmax(axis=1))
    if known is not None:
        chosen = np.where(known >= 0, known, chosen)
    confidence = chances[np.arange(len(chosen)), chosen]
    return _told(
        said, votes.items, votes.classes[chosen], votes.per_item, unanimous,
        confidence=confidence, settled=confidence >= SETTLED,
    )  # fmt: skip


def _known(said: pd.DataFrame, votes: Votes) -> npt.NDArray[np.int64]:
    """Position of the golden class by item, -1 elsewhere [i]."""
    code = pd.Index(votes.classes).get_indexer(pd.Index(said["known"]))
    known = np.full(len(votes.items), -1, dtype=np.int64)
    np.maximum.at(known, votes.item, code)
    return known


def _numbers(said: pd.DataFrame) -> pd.DataFrame:
    item, names = pd.factorize(said["prediction_id"].to_numpy(dtype=object))
    value = said["value"].astype(float)
    by_item = value.groupby(item, sort=True)
    middle = floats(by_item.median())
    people = np.asarray(by_item.size(), dtype=np.int64)
    off = (value - middle[item]).abs().groupby(item, sort=True).median().to_numpy() * _MAD_TO_SD
    unanimous = by_item.min().to_numpy() == by_item.max().to_numpy()
    if "known" in said:
        golden = said["known"].astype(float).groupby(item, sort=True).max().to_numpy()
        middle = np.where(np.isnan(golden), middle, golden)
    return _told(
        said, names, _shortest(middle), people, unanimous,
        spread=np.where(people > 1, off, np.nan),
    )  # fmt: skip


def _shortest(values: npt.NDArray[np.float64]) -> npt.NDArray[np.object_]:
    """The numbers' shortest texts, as feedback spells them [n]."""
    spelled = np.empty(len(values), dtype=np.object_)
    spelled[:] = [repr(value) for value in (values + 0.0).tolist()]
    return spelled


def _told(
    said: pd.DataFrame,
    items: npt.NDArray[np.object_],
    values: npt.NDArray[np.object_],
    people: npt.NDArray[np.int64],
    unanimous: npt.NDArray[np.bool_],
    confidence: npt.NDArray[np.float64] | None = None,
    settled: npt.NDArray[np.bool_] | None = None,
    spread: npt.NDArray[np.float64] | None = None,
) -> pd.DataFrame:
    missing = np.full(len(items), np.nan)
    # Items are in order of first appearance, and so are the first rows of each.
    first = said.drop_duplicates("prediction_id")["annotator"].to_numpy(dtype=object)
    columns: dict[str, Any] = {
        "prediction_id": items,
        "value": values,
        "confidence": missing if confidence is None else confidence,
        "answers": people,
        "annotator": pd.Series(first, dtype=object).mask(people != 1),
        "unanimous": unanimous,
        "settled": np.ones(len(items), dtype=bool) if settled is None else settled,
        "spread": missing if spread is None else spread,
    }
    return pd.DataFrame(columns)
