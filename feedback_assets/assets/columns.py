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
    "value": "What was said, or how much it is.",
    "source": "What kind of evidence it is.",
    "confidence": "How sure they were, 0 to 1.",
    "label": "The latest accepted truth; null while it is pending.",
    "label_status": "accepted, pending (no feedback yet, not a negative) or rejected.",
    "label_event_time": "When the truth happened.",
    "label_received_time": "When the truth was learned.",
    "label_delay_days": "Days from the prediction to its label.",
    "label_source": "What kind of evidence the label is.",
    "label_principal": "Who said it: token:<name>, person:<name>, or as the files have it.",
    "label_confidence": "How sure they were, 0 to 1.",
    "flags": "Why the row deserves a second look, codes with commas.",
    "label_count": "How many labels were given.",
    "label_conflict": "Whether they disagree.",
    "labels_seen": "Every label that was given.",
    "rating": "The latest rating.",
    "split": "train, or holdout: never trained on, used by the gate.",
    "column_name": "The column that is judged; * is the whole day.",
    "status": "stable, immaterial, drift, insufficient or broken.",
    "reason": "The verdict in words with its numbers.",
    "against": "What was compared with; in profiles the version whose training data gave the cells.",
    "segment": "Segment column, or two with a comma; empty for everything together.",
    "segment_value": "The segment's value.",
    "bin": "Cell of the reference's bins, numbered from 0.",
    "rows": "Rows; in a performance report the answers.",
    "total": "Sum of the values in the cell.",
    "evidence": "ln of the e-value of a material change; of how sure a finding is.",
    "evidence_changed": "ln of the e-value of any change.",
    "since": "The day since about which it lasts.",
    "weight": "How much the column counts in the policy.",
    "impact": "Estimated change of the loss per row that the move causes.",
    "size_sd": "The change as a shift in standard deviations of the reference.",
    "margin": "How large a change, in standard deviations, is still immaterial.",
    "psi": "Population stability index, nulls and unseen values included.",
    "ks": "Kolmogorov-Smirnov distance.",
    "g": "G statistic of homogeneity.",
    "chi2": "Pearson's chi-square of homogeneity.",
    "js": "Jensen-Shannon distance, base 2.",
    "hellinger": "Hellinger distance, 0 to 1.",
    "wasserstein": "Wasserstein distance in standard deviations of the reference.",
    "null_share": "Share of nulls.",
    "null_share_ref": "Share of nulls in the reference.",
    "unseen_share": "Share of values that the reference never held.",
    "out_of_range_share": "Share of values outside the reference's range.",
    "unseen": "Most frequent unseen values with their rows, JSON.",
    "rows_ref": "Rows of the reference.",
    "size": "The shift in words.",
    "reference": "Version whose training data is the reference; 0 before the first.",
    "period": "day, week or window; it ends with the partition.",
    "metric": "The metric.",
    "low": "Lower end of the interval.",
    "high": "Upper end of the interval.",
    "expected": "The metric on held-out rows when the version was judged.",
    "labels": "Labels that have arrived.",
    "maturity": "Share of the labels that will ever come which are known.",
    "low_mature": "Lower end of what is expected when all labels are in.",
    "high_mature": "Upper end of what is expected when all labels are in.",
    "as_of": "What is said is as of the newest thing received by then, UTC.",
    "target": "What was promised.",
    "breached": "Whether this check missed the target; null if the value is not known.",
    "streak": "Misses in a row.",
    "broken": "Whether the promise is broken: so many misses in a row.",
    "subject": "What the finding is about.",
    "text": "The finding in plain words.",
    "detail": "The reason in words with its numbers.",
    "strength": "How strong, in the reason's own unit; null where it has none.",
    "task_id": "Unique id of the question.",
    "tasks": "The questions that it follows from, with commas.",
    "batch": "The batch that the question was drawn in.",
    "asked_at": "When it was drawn, UTC.",
    "until": "Answers given later come too late, UTC.",
    "closes_at": "When nobody is asked any more, UTC.",
    "strategy": "Why the row was drawn: a strategy of review.mix, audit, or golden.",
    "probability": "Chance with which the row came into its batch by any way.",
    "priority": "Larger is asked earlier.",
    "answers": "Different people who are to answer.",
    "uncertainty": "Entropy of the model's answer, 0 to 1.",
    "novelty": "Share of the training rows that lie nearer to the training data.",
    "drifted": "Whether the row lies where a column has drifted to.",
    "annotation_id": "Unique id of the answer.",
    "annotator": "Who answered.",
    "said": "label or skip.",
    "annotated_at": "When it was answered, UTC.",
    "received_at": "When the answer was stored, UTC.",
    "duration_seconds": "Seconds that the person took.",
    "saw_opinion": "Whether the model's answer was shown before.",
    "note": "What the person wrote beside it.",
    "known": "The right answer of a golden question.",
    "right": "Whether the golden question was answered right.",
    "unanimous": "Whether all said the same.",
    "threshold": "Confidence from which rows are labelled so.",
    "precision_lower": "Lower end of the share of right answers above it, on audited rows.",
    "labelled_at": "When the label was made, UTC.",
    "arm": "What routing chose: champion, shadow, canary or explore.",
    "answered_by": "Who answered: champion, challenger, previous, cache or default.",
    "model_digest": "SHA-256 of the ONNX file that answered.",
    "warning": "Why the answer is not the champion's own.",
    "stick": "What the request sticks to an arm by.",
    "principal": "Whose token asked.",
    "latency_us": "Microseconds from the request in to its answer; of a shadow, of its scoring.",
    "day": "Partition of the prediction log that the row belongs to.",
    "made_from": "Digest of the model, the day's rows and how many of them are drawn.",
    "trial": "Who is tried against whom.",
    "stage": "Where the challenger is: shadow, canary, or watch once it serves.",
    "champion": "Version that serves; of a watch, the one that was replaced.",
    "challenger": "Version that is tried; of a watch, the new champion.",
    "predictions": "Rows that both versions scored.",
    "champion_loss": "The champion's mean loss on the labelled rows.",
    "challenger_loss": "The challenger's.",
    "gain": "Champion's loss less the challenger's, per labelled row.",
    "gain_low": "Lower end of where the gain lies, at all looks together.",
    "gain_high": "Upper end.",
    "log_better": "ln of the e-value that the challenger is better than the gate asks.",
    "log_safe": "ln of the e-value that it is not worse by the margin.",
    "log_worse": "ln of the e-value that it is worse.",
    "verdict": "promote, wait, reject or rollback.",
    "rule": "The rule that decided.",
    "champion_requests": "Requests that were the champion's to answer.",
    "challenger_requests": "Requests that were the challenger's to answer.",
    "error_excess": "Share of the challenger's requests that others answered, less the champion's.",
    "champion_p95_ms": "95th percentile of the champion's answering time, milliseconds.",
    "challenger_p95_ms": "The challenger's.",
    "shadow_compared": "The service's scores of the challenger that were made from the log, too.",
    "shadow_agreeing": "Of these, equal within the tolerance.",
    "kpi_champion_estimated": "Worth per answer of the champion that its scores promise.",
    "kpi_challenger_estimated": "The challenger's.",
    "kpi_champion": "Worth per answer of the champion on labelled rows.",
    "kpi_challenger": "The challenger's.",
    "kpi_gain": "Challenger's less the champion's, on the same labelled rows.",
    "kpi_gain_low": "Lower end of its interval, for one look.",
    "kpi_gain_high": "Upper end.",
    "kpi_labels": "Labelled rows whose worth is known.",
}
OWN = {
    ("drift_report", "role"): "feature, score, prediction, label, or day for the day's verdict.",
    ("drift_report", "kind"): "What the column holds.",
    ("labeled_pool", "weight"): "What the row weighs in training; 1 on the mean.",
    ("flags", "reason"): "Code of the reason.",
    ("review_queue", "reason"): "Why it is asked, as the person reads it.",
    (
        "annotations",
        "value",
    ): "The label that the person gave, in its one spelling; null for a skip.",
    ("annotations", "confidence"): "How sure the person was, 0 to 1; null if not asked.",
    ("review_labels", "principal"): "person:<name>, or people where several agreed.",
    ("review_labels", "confidence"): "Chance that it is right, by all that is known of the people.",
    ("feedback_events", "principal"): "Who said it and can be held to it.",
    ("feedback_events", "kind"): "label, correction, rating, click, reward or rejection.",
    ("performance_report", "kind"): "realised, estimated, or estimated adjusted to other traffic.",
    ("profiles", "value"): "A category that the reference never had; empty for all else.",
    ("findings", "kind"): "What kind of finding.",
    ("canary_report", "kind"): "trial of a candidate, or watch over a new champion.",
    ("canary_report", "since"): "When the stage began; of a watch, the promotion.",
    ("canary_report", "labels"): "Labelled rows that count.",
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
    if (asset, name) in OWN:
        return OWN[asset, name]
    if name == "role":
        return SERVED
    if name == "score":
        return SCORES[config.label.kind]
    if name in columns.features:
        also = ", segment" if name in columns.segments else ""
        return f"Feature, {columns.kind_of(name)}{also}."
    if name in columns.carried:
        return "Protected attribute." if name in columns.protected else "Segment."
    return WORDS.get(name)
