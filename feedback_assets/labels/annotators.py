"""How well each person answers: speed, agreement with others, golden items, change of habits."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import LabelKind
from feedback_assets.labels.dawid_skene import dawid_skene
from feedback_assets.labels.exact import share_interval
from feedback_assets.labels.kappa import Pairs, couples, kappas
from feedback_assets.labels.votes import Votes
from feedback_assets.performance.metrics import floats

Floats = npt.NDArray[np.float64]
COLUMNS = (
    "annotator", "answers", "skips", "minutes", "shared", "agreement", "agreement_low",
    "agreement_high", "kappa", "skill", "golden", "golden_right", "golden_low", "golden_high",
    "saw_opinion", "first_at", "last_at",
)  # fmt: skip
CLOSE = 0.25
"""Numbers agree within this part of the standard deviation of all answers."""


def latest_answers(annotations: pd.DataFrame) -> pd.DataFrame:
    """One row a person and prediction, the last said, in order of time; skips are left out."""
    said = annotations[annotations["said"] == "label"].sort_values("annotated_at", kind="stable")
    return said.drop_duplicates(["prediction_id", "annotator"], keep="last").reset_index(drop=True)


def annotator_report(
    annotations: pd.DataFrame,
    kind: LabelKind,
    classes: Sequence[str] = (),
    confidence: float = 0.95,
) -> pd.DataFrame:
    """One row a person, whoever answered most first.

    Args:
        annotations: The table `annotations`.
        kind: The label's.
        classes: Every class; those that were named if empty.
        confidence: Of two-sided intervals (exact, Clopper & Pearson).

    Returns:
        `annotator`; `answers` and `skips`; `minutes` (median for an answer); `shared` (answers
        about predictions that others answered too), `agreement` (share of the others who said the
        same of them, on average) with `agreement_low`, `agreement_high`; `kappa` (Cohen's, mean over
        the others by shared answers; NaN for numbers); `skill` (chance of a right answer by Dawid
        and Skene's model; NaN for numbers); `golden` (known items answered), `golden_right` (share
        of them) with its interval; `saw_opinion` (share of answers after a look at the model's);
        `first_at`, `last_at`. NaN is what nothing tells.
    """
    if annotations.empty:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in COLUMNS})
    people = pd.Index(sorted(annotations["annotator"].astype(str).unique()), name="annotator")
    said = latest_answers(annotations)
    made = _effort(annotations, said, people)
    golden = said[said["right"].notna()]
    made = made.join(_golden(golden, people, confidence))
    made = made.join(_among_others(said, kind, classes, people, confidence))
    made = made.reset_index().sort_values(["answers", "annotator"], ascending=[False, True])
    return made[list(COLUMNS)].reset_index(drop=True)


def _effort(annotations: pd.DataFrame, said: pd.DataFrame, people: pd.Index) -> pd.DataFrame:
    skips = annotations[annotations["said"] == "skip"].groupby("annotator").size()
    by = said.groupby("annotator")
    times = annotations.groupby("annotator")["annotated_at"]
    return pd.DataFrame(
        {
            "answers": by.size().reindex(people, fill_value=0),
            "skips": skips.reindex(people, fill_value=0),
            "minutes": by["duration_seconds"].median().reindex(people).astype(float) / 60,
            "saw_opinion": by["saw_opinion"].mean().reindex(people).astype(float),
            "first_at": times.min().reindex(people),
            "last_at": times.max().reindex(people),
        },
        index=people,
    )


def _golden(golden: pd.DataFrame, people: pd.Index, confidence: float) -> pd.DataFrame:
    right = golden["right"].astype(bool).groupby(golden["annotator"])
    rows = floats(right.size().reindex(people, fill_value=0))
    good = floats(right.sum().reindex(people, fill_value=0))
    return _shares("golden_right", "golden", good, rows, people, confidence).rename(
        columns={"golden_right_low": "golden_low", "golden_right_high": "golden_high"}
    )


def _among_others(
    said: pd.DataFrame, kind: LabelKind, classes: Sequence[str], people: pd.Index, confidence: float
) -> pd.DataFrame:
    """Agreement with others, kappa and skill by person."""
    votes = votes_of(said, kind, classes)
    pairs = couples(votes)
    share = agreement_by_answer(said, votes, pairs, kind)
    name = pd.Index(votes.annotators)
    known = np.isfinite(share)
    at = name.get_indexer(people)
    shared, agreed = (
        np.append(np.bincount(votes.annotator[known], by, minlength=len(name)), 0.0)[at]
        for by in (None, share[known])
    )
    found = _shares("agreement", "shared", agreed, shared, people, confidence)
    if kind == "regression":
        return found.assign(kappa=np.nan, skill=np.nan)
    skilled = dawid_skene(votes)
    right = np.einsum("ajj,j->a", skilled.confusion, skilled.prior)
    by_pair = kappas(votes, pairs, confidence).dropna(subset=["kappa"])
    sides = pd.concat([by_pair.assign(who=by_pair[side]) for side in ("first", "second")])
    weighted = (sides["kappa"] * sides["rows"]).groupby(sides["who"]).sum()
    mean = weighted / sides["rows"].groupby(sides["who"]).sum()
    return found.assign(
        kappa=mean.reindex(people).to_numpy(np.float64), skill=np.append(right, np.nan)[at]
    )


def votes_of(said: pd.DataFrame, kind: LabelKind, classes: Sequence[str]) -> Votes:
    """The answers as codes; the values of numbers are not classes, only told apart."""
    possible = [] if kind == "regression" else list(classes) or _binary(kind)
    return Votes.of(said["prediction_id"], said["annotator"], said["value"], possible)


def _binary(kind: LabelKind) -> list[str]:
    return ["0", "1"] if kind == "binary" else []


def agreement_by_answer(said: pd.DataFrame, votes: Votes, pairs: Pairs, kind: LabelKind) -> Floats:
    """Share of the others who said the same of the prediction; NaN where nobody else answered [n]."""
    if kind == "regression":
        value = said["value"].astype(float).to_numpy()
        near = CLOSE * float(value.std())
        same = np.abs(value[pairs.first] - value[pairs.second]) <= near
    else:
        same = votes.value[pairs.first] == votes.value[pairs.second]
    ends = np.concatenate([pairs.first, pairs.second])
    others = np.bincount(ends, minlength=len(said)).astype(np.float64)
    agreed = np.bincount(ends, np.tile(same, 2).astype(np.float64), minlength=len(said))
    return np.divide(agreed, others, out=np.full(len(said), np.nan), where=others > 0)


def _shares(
    name: str, rows_name: str, right: Floats, rows: Floats, people: pd.Index, confidence: float
) -> pd.DataFrame:
    low, high = share_interval(right, rows, confidence)
    some = rows > 0
    return pd.DataFrame(
        {
            rows_name: rows.astype(np.int64),
            name: np.divide(right, rows, out=np.full(len(rows), np.nan), where=some),
            f"{name}_low": np.where(some, low, np.nan),
            f"{name}_high": np.where(some, high, np.nan),
        },
        index=people,
    )
