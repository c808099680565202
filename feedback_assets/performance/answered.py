"""Rows of the feedback table as arrays: who was answered what, when, in which slice, and the truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.grain import partition_end, partition_start
from feedback_assets.config.schema import Config
from feedback_assets.performance.maturity import Arrivals
from feedback_assets.performance.measure import Answers
from feedback_assets.performance.metrics import Codes, Floats, class_codes, floats
from feedback_assets.performance.value import row_values

NULL = "null"
_SECONDS = 86_400.0
_INSTANT = 1e-6


@dataclass(frozen=True)
class Slicing:
    """One way to cut the answers: by a segment, a pair of segments, or the model version.

    Attributes:
        segment: name as in the report; "" for all answers and for versions.
        codes: of each answer [n]; -1 for one that belongs to no slice.
        names: of the slices, by code.
        versions: whether the names are model versions.
    """

    segment: str
    codes: Codes
    names: tuple[str, ...]
    versions: bool = False

    @property
    def whole(self) -> bool:
        """Whether this is all answers, uncut."""
        return not self.segment and not self.versions

    def largest(self, counts: Codes, most: int) -> list[int]:
        """Codes of the slices with most rows, largest first, equal ones by name.

        The whole even without rows, every version, and of a segment at most `most`.
        """
        if self.whole:
            return [0]
        found = [int(c) for c in np.flatnonzero(counts)]
        ordered = sorted(found, key=lambda c: (-counts[c], self.names[c]))
        return ordered if self.versions else ordered[:most]


@dataclass(frozen=True)
class Answered:
    """Every answer of some partitions, sorted by score.

    Attributes:
        keys: the partitions, oldest first.
        starts: when each began, in days [keys].
        position: of each answer's partition in `keys` [n].
        labelled: whether its truth is known [n].
        answers: scores, answers and truths [n] (NaN where not known); `day` tells calendar days apart.
        slicings: ways to cut them; the first is the whole.
    """

    keys: tuple[str, ...]
    starts: Floats
    position: Codes
    labelled: npt.NDArray[np.bool_]
    answers: Answers
    slicings: tuple[Slicing, ...]

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        keys: Sequence[str],
        config: Config,
        arrivals: Arrivals | None = None,
    ) -> "Answered":
        """The rows with a score. `keys` adds partitions that may have none.

        Args:
            frame: columns as `realised_rows` takes them.
            keys: partitions beside those of the frame.
            config: the loop's.
            arrivals: tells which labels arrive alike.
        """
        score = _scores(frame, config)
        sure = score.max(axis=1) if score.ndim == 2 else score
        truth = _truth(frame, config)
        has_score = np.flatnonzero(np.isfinite(sure))
        # Sorted by score and truth: fast to rank, and the same whatever the order of the rows.
        rows = has_score[np.lexsort((truth[has_score], sure[has_score]))]
        frame = frame.iloc[rows]
        found, names = pd.factorize(frame["partition_key"].astype(str))
        every = sorted({*names, *keys})
        place = {key: at for at, key in enumerate(every)}
        position = np.array([place[name] for name in names], dtype=np.int64)[found]
        truth = truth[rows]
        starts = _starts(every, config)
        calendar = np.unique(np.floor(starts), return_inverse=True)[1].astype(np.int64)
        labelled = (frame["label_status"] == "accepted").to_numpy(dtype=np.bool_)
        labelled &= np.isfinite(truth)
        weight = floats(frame["selection_weight"]) if "selection_weight" in frame else None
        if weight is not None:  # a label that came another way stands for nobody
            labelled &= weight > 0
        answers = Answers(
            config.label.kind,
            truth,
            score[rows],
            _predicted(frame, config),
            calendar[position],
            _worth(frame, config),
            arrivals.codes(frame["label"], config.label) if arrivals else None,
            config.performance.quantile,
            weight,
        )
        return cls(tuple(every), starts, position, labelled, answers, _slicings(frame, config))

    def first_position(self, key: str, days: int, config: Config) -> int:
        """Position of the first partition of the period of `days` that ends with `key`.

        A period shorter than a partition is the partition.
        """
        last = self.keys.index(key)
        end = partition_end(config.partitions.grain, key).timestamp() / _SECONDS
        return min(int(np.searchsorted(self.starts, end - days - _INSTANT)), last)


def _starts(keys: Sequence[str], config: Config) -> Floats:
    """When each partition began, in days since 1970."""
    moments = [partition_start(config.partitions.grain, key).timestamp() for key in keys]
    return np.array(moments, dtype=np.float64) / _SECONDS


def _scores(frame: pd.DataFrame, config: Config) -> Floats:
    if config.label.kind != "multiclass":
        return floats(frame["score"])
    names = [f"score_{c}" for c in config.label.classes]
    return frame[names].to_numpy(dtype=np.float64, na_value=np.nan)


def _truth(frame: pd.DataFrame, config: Config) -> Floats:
    if config.label.kind != "multiclass":
        return floats(frame["label"])
    return _known(class_codes(frame["label"], config.label.classes))


def _predicted(frame: pd.DataFrame, config: Config) -> Floats:
    if config.label.kind == "regression":
        return floats(frame["score"])
    if config.label.kind == "multiclass":
        return _known(class_codes(frame["prediction"], config.label.classes))
    return floats(frame["prediction"])


def _known(codes: Codes) -> Floats:
    return np.where(codes >= 0, codes, np.nan)


def _worth(frame: pd.DataFrame, config: Config) -> Floats | None:
    if "value" in frame:
        return floats(frame["value"])
    if config.label.kind == "regression":
        return None
    return row_values(config.kpi, config.label, frame["label"], frame["prediction"])


def _slicings(frame: pd.DataFrame, config: Config) -> tuple[Slicing, ...]:
    whole = Slicing("", np.zeros(len(frame), dtype=np.int64), ("",))
    alone = {name: _by(name, frame[name]) for name in config.columns.segments if name in frame}
    pairs = [
        _pair(alone[a], alone[b])
        for a, b in config.performance.segment_pairs
        if a in alone and b in alone
    ]
    codes, names = pd.factorize(frame["model_version"])
    versions = Slicing("", codes.astype(np.int64), tuple(str(v) for v in names), versions=True)
    return (whole, *alone.values(), *pairs, versions)


def _by(segment: str, values: "pd.Series[str]") -> Slicing:
    codes, found = pd.factorize(values, use_na_sentinel=False)
    names = tuple(
        NULL if missing else str(v) for v, missing in zip(found, pd.isna(found), strict=True)
    )
    return Slicing(segment, codes.astype(np.int64), names)


def _pair(first: Slicing, second: Slicing) -> Slicing:
    both = first.codes * len(second.names) + second.codes
    found, codes = np.unique(both, return_inverse=True)
    names = tuple(
        f"{first.names[at // len(second.names)]},{second.names[at % len(second.names)]}"
        for at in found
    )
    segment = f"{first.segment},{second.segment}"
    return Slicing(segment, codes.astype(np.int64).reshape(both.size), names)
