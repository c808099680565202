"""Rows in the tables' own columns: what imports write and the service takes.

Whatever the columns of the loop's files are called, here a prediction's id is `prediction_id` and
its score is `score`; the names are reserved, so no feature can be called so.
"""

from feedback_assets.capture.contract import class_score_names
from feedback_assets.capture.feedback import feedback_plan
from feedback_assets.capture.plan import Plan
from feedback_assets.capture.predictions import prediction_plan
from feedback_assets.config.schema import Config
from feedback_assets.config.source import FeedbackColumns

FEEDBACK_COLUMNS = FeedbackColumns(
    prediction_id="prediction_id",
    value="value",
    received_time="received_time",
    event_time="event_time",
    event_id="event_id",
    kind="kind",
    source="source",
    confidence="confidence",
    principal="principal",
)


def landed_config(config: Config) -> Config:
    """The loop as if its files had the tables' own columns."""
    names = dict(zip(config.columns.class_scores, class_score_names(config), strict=True))
    columns = config.columns.model_copy(
        update={
            "id": "prediction_id",
            "event_time": "event_time",
            "received_time": "received_time",
            "model_version": "model_version",
            "role": "role",
            "propensity": "propensity",
            "score": "score",
            "class_scores": names,
            "prediction": "prediction",
        }
    )
    feedback = config.source.feedback.model_copy(update={"columns": FEEDBACK_COLUMNS})
    source = config.source.model_copy(update={"feedback": feedback})
    return config.model_copy(update={"columns": columns, "source": source})


def landed_prediction_plan(config: Config) -> Plan:
    """How landed predictions become rows of `prediction_log`."""
    return prediction_plan(landed_config(config))


def landed_feedback_plan(config: Config) -> Plan:
    """How landed feedback becomes rows of `feedback_events`."""
    return feedback_plan(landed_config(config), landed=True)
