"""People whose way of answering changed: what they say, whether others agree, how long they take."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import LabelKind
from feedback_assets.labels.annotators import agreement_by_answer, latest_answers, votes_of
from feedback_assets.labels.habits import Change, change
from feedback_assets.labels.kappa import couples
from feedback_assets.performance.metrics import floats

Floats = npt.NDArray[np.float64]
COLUMNS = ("annotator", "habit", "about", "since", "before", "after", "chance")


def habit_changes(
    annotations: pd.DataFrame,
    kind: LabelKind,
    classes: Sequence[str] = (),
    expected: pd.DataFrame | None = None,
    alpha: float = 0.01,
) -> pd.DataFrame:
    """Changes beyond chance, the surest first.

    Args:
        annotations: The table `annotations`.
        kind: The label's.
        classes: Every class; those that were named if empty.
        expected: What a model expects of each prediction, by `prediction_id` (index): a column of
            chances for each class, or `value` for numbers. Only how people differ from it is looked
            at, so that other questions are no other habit. Without it every question counts alike.
        alpha: Chance that anything is found where nobody changed, over all people and habits.

    Returns:
        `annotator`; `habit`: `answers` (says the class `about` more or less often, or other
        numbers), `agreement` (with others and golden items) or `minutes`; `about`; `since`;
        `before` and `after` (share or mean; minutes: geometric mean); `chance` (p-value).
    """
    said = latest_answers(annotations)
    found: list[dict[str, object]] = []
    tested = 0
    for who, habit, about, series, shown, times in _series(said, kind, classes, expected):
        tested += 1
        told = change(series)
        if told.chance > alpha:
            continue
        before, after = _shown(habit, shown, told)
        found.append(
            dict(zip(COLUMNS, (who, habit, about, times[told.at], before, after, told.chance),
                     strict=True))
        )  # fmt: skip
    # Bonferroni: each of the series may have looked changed.
    sure = [row for row in found if float(str(row["chance"])) * tested <= alpha]
    made = pd.DataFrame(sure, columns=list(COLUMNS))
    return made.sort_values("chance", kind="stable").reset_index(drop=True)


def _shown(habit: str, values: Floats, told: Change) -> tuple[float, float]:
    before, after = float(values[: told.at].mean()), float(values[told.at :].mean())
    if habit == "minutes":
        return float(np.exp(before)), float(np.exp(after))
    return before, after


def _series(
    said: pd.DataFrame,
    kind: LabelKind,
    classes: Sequence[str],
    expected: pd.DataFrame | None,
) -> Iterator[tuple[str, str, str, Floats, Floats, npt.NDArray[np.datetime64]]]:
    """Person, habit, what it is about, the series that is tested, the one that is shown, times."""
    if said.empty:
        return
    votes = votes_of(said, kind, classes)
    agreed = agreement_by_answer(said, votes, couples(votes), kind)
    right = said["right"].astype(object).map({True: 1.0, False: 0.0}).to_numpy(np.float64)
    agreed = np.where(np.isnan(right), agreed, right)
    minutes = np.log(said["duration_seconds"].astype(float).clip(lower=1).to_numpy() / 60)
    habits = [("agreement", "", agreed, agreed), ("minutes", "", minutes, minutes)]
    habits += _sayings(said, votes.value, [str(c) for c in votes.classes], kind, expected)
    times = said["annotated_at"].to_numpy()
    order = np.argsort(votes.annotator, kind="stable")
    ends = np.cumsum(np.bincount(votes.annotator))
    for person, rows in zip(votes.annotators, np.split(order, ends[:-1]), strict=True):
        for habit, about, tested, shown in habits:
            known = rows[np.isfinite(tested[rows])]
            if len(known):
                yield str(person), habit, about, tested[known], shown[known], times[known]


def _sayings(
    said: pd.DataFrame,
    value: npt.NDArray[np.int64],
    classes: Sequence[str],
    kind: LabelKind,
    expected: pd.DataFrame | None,
) -> list[tuple[str, str, Floats, Floats]]:
    """What is said, less what was to be expected of the rows that were asked."""
    if kind == "regression":
        number = floats(said["value"].astype(float))
        return [("answers", "", number - _of(said, expected, "value"), number)]
    # Of two classes one says as much as both.
    told = classes[1:] if len(classes) == 2 else classes
    made = []
    for name in told:
        says = (value == list(classes).index(name)).astype(np.float64)
        made.append(("answers", name, says - _of(said, expected, name), says))
    return made


def _of(said: pd.DataFrame, expected: pd.DataFrame | None, name: str) -> Floats | float:
    if expected is None or name not in expected:
        return 0.0
    return expected[name].reindex(said["prediction_id"]).to_numpy(np.float64)
