"""What the columns of the loop's tables mean, in words, for the UI."""

from collections.abc import Mapping

import dagster as dg

from feedback_assets.config.schema import Config

WORDS = {
    "prediction_id": "Unique id of the prediction.",
    "event_id": "Unique id of the feedback event.",
    "event_time": "When it happened, UTC.",
    "received_time": "When it was learned of, UTC.",
    "partition_key": "The partition that the row belongs to.",
    "source_file": "The file that it came in.",
    "model_version": "Version that answered; null where none did (history).",
    "propensity": "Probability with which the answer was chosen; 1 where nothing was explored.",
    "prediction": "The answer that was given.",
    "kind": "label, correction, rating or rejection; in a drift report the column's kind.",
    "value": "What was said; in a drift report the metric's value.",
    "source": "Who said it.",
    "confidence": "How sure they were, 0 to 1.",
    "label": "The latest accepted truth; null while it is pending.",
    "label_status": "accepted, pending (no feedback yet, not a negative) or rejected.",
    "label_event_time": "When the truth happened.",
    "label_received_time": "When the truth was learned.",
    "label_delay_days": "Days from the prediction to its label.",
    "label_source": "Who gave the label.",
    "label_count": "How many labels were given.",
    "label_conflict": "Whether they disagree.",
    "labels_seen": "Every label that was given.",
    "rating": "The latest rating.",
    "split": "train, or holdout: never trained on, used by the gate.",
    "column_name": "The column that is judged; * is the whole day.",
    "status": "stable, immaterial, drift, insufficient or broken.",
    "reason": "The verdict in words with its numbers.",
    "psi": "Population stability index, nulls and unseen values included.",
    "ks": "Kolmogorov-Smirnov distance.",
    "g": "G statistic on merged bins.",
    "p_value": "Chance of so much drift if only an immaterial one were there.",
    "js": "Jensen-Shannon distance, base 2.",
    "wasserstein": "Wasserstein distance in standard deviations of the reference.",
    "null_share": "Share of nulls.",
    "null_share_ref": "Share of nulls in the reference.",
    "unseen_share": "Share of values that the reference never held.",
    "out_of_range_share": "Share of values outside the reference's range.",
    "margin": "Divergence that is still immaterial.",
    "rows": "Rows judged.",
    "rows_ref": "Rows of the reference.",
    "size": "The shift in words.",
    "counts": "Counts by bin, JSON; days add up.",
    "reference": "Version whose training data is the reference; 0 before the first.",
}
ROLE = {
    "drift_report": "feature, score, prediction, label, performance, or day for the verdict.",
}
SERVED = "served, shadow, or history where no model answered."
SCORES = {
    "binary": "Probability of the positive class.",
    "multiclass": "Probability of the answer.",
    "regression": "The predicted value.",
}


def table_schema(config: Config, asset: str, columns: Mapping[str, str]) -> dg.TableSchema:
    """The columns of a table as Dagster shows them: name, type, meaning."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name, kind, meaning(config, asset, name))
            for name, kind in columns.items()
        ]
    )


def meaning(config: Config, asset: str, name: str) -> str | None:
    """What a column means; None for one that only its owner knows."""
    columns = config.columns
    if name == "role":
        return ROLE.get(asset, SERVED)
    if name == "score":
        return SCORES[config.label.kind]
    if name in columns.features:
        also = ", segment" if name in columns.segments else ""
        return f"Feature, {columns.kind_of(name)}{also}."
    if name in columns.carried:
        return "Protected attribute." if name in columns.protected else "Segment."
    return WORDS.get(name)
