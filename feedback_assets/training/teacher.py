"""What some rows teach of others: a quick model that is fitted, asked and thrown away.

It judges labels, never the world: small trees (or a linear model where there is text), no ONNX.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.training.estimators import make_estimator
from feedback_assets.training.features import FeatureSpec
from feedback_assets.training.pipeline import make_pipeline

TIME = "fa_event_time"
_BOOSTING = {"max_iter": 60, "max_leaf_nodes": 8, "learning_rate": 0.1}


def codes_of(labels: pd.Series, config: Config) -> tuple[npt.NDArray[np.int64], int]:
    """Labels as whole numbers [n] below the second value, their number of kinds.

    A number counts by the side of the median on which it lies.
    """
    if config.label.kind == "regression":
        values = labels.to_numpy(np.float64)
        return (values > np.median(values)).astype(np.int64), 2
    if config.label.kind == "binary":
        return np.asarray(labels, np.int64), 2
    place = {name: i for i, name in enumerate(config.label.classes)}
    return np.asarray(labels.map(place), np.int64), len(place)


class Teacher:
    """Fits on some rows of a frame and says how likely each code is on others.

    Args:
        config: The loop.
        frame: Rows with `event_time` and the loop's features [n].
        codes: What each row's label is [n].
        kinds: Codes are below this.
        timed: Whether it may read when a row happened: a world that moves is no contradiction.
    """

    def __init__(
        self,
        config: Config,
        frame: pd.DataFrame,
        codes: npt.NDArray[np.int64],
        kinds: int,
        timed: bool = True,
    ) -> None:
        spec = FeatureSpec.of(config)
        spec = replace(spec, label_kind="binary" if kinds == 2 else "multiclass")
        if timed:
            spec = replace(spec, features=(*spec.features, (TIME, "numeric")))
            days = (frame["event_time"] - frame["event_time"].min()) / pd.Timedelta(days=1)
            frame = frame.assign(**{TIME: days.to_numpy(np.float64)})
        self._spec, self._codes, self._kinds = spec, codes, kinds
        self._inputs = spec.prepare(frame)
        self._seed = config.model.seed

    def __call__(
        self, taught: npt.NDArray[np.int64], asked: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Probability of each code [asked, kinds] after the rows `taught` (positions)."""
        from threadpoolctl import threadpool_limits

        answer = np.zeros((len(asked), self._kinds))
        seen = np.unique(self._codes[taught])
        if len(seen) < 2 or not len(asked):
            answer[:, seen] = 1.0
            return answer
        inputs = self._inputs.iloc[taught]
        text = bool(self._spec.of_kind("text"))
        estimator = make_estimator(
            "auto", {} if text else _BOOSTING, self._spec, self._seed, len(taught)
        )
        empty = [name for name in self._spec.of_kind("numeric") if inputs[name].isna().all()]
        pipeline = make_pipeline(estimator, self._spec, self._seed, len(taught), empty)
        with threadpool_limits(limits=1):
            pipeline.fit(inputs, self._codes[taught])
            answer[:, seen] = pipeline.predict_proba(self._inputs.iloc[asked])
        return answer
