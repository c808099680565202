"""What column names tell: words that people use for ids, times, labels, answers and persons."""

import re
from collections.abc import Iterable

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BREAK = re.compile(r"[^a-z0-9]+")

EVENT_TIME = (
    "event_time", "prediction_time", "predicted_at", "scored_at", "request_time", "event_timestamp",
    "timestamp", "event_date", "datetime", "date_time", "ts", "created_at", "created_time", "created",
    "occurred_at", "trans_date_trans_time", "transaction_time", "transaction_date", "order_time",
    "order_date", "purchase_date", "booking_date", "pickup_datetime", "start_time", "started_at",
    "time_hour", "published_at", "posted_at", "date", "dteday", "day", "time", "step",
)  # fmt: skip
LABEL_TIME = (
    "label_time", "label_timestamp", "label_date", "labeled_at", "labelled_at", "label_received_time",
    "outcome_time", "outcome_date", "feedback_time", "truth_time", "known_at", "reviewed_at",
    "resolved_at", "closed_at", "settled_at", "chargeback_date", "chargeback_time",
    "reservation_status_date", "status_date", "decided_at", "completed_at", "returned_at",
    "dropoff_datetime", "end_time", "ended_at", "delivered_at", "arrival_time", "landed_at",
)  # fmt: skip
LABEL = (
    "label", "target", "ground_truth", "y", "y_true", "outcome", "class", "is_fraud", "fraud",
    "fraud_bool", "fraudulent", "is_canceled", "is_cancelled", "canceled", "cancelled", "churn",
    "churned", "is_churn", "exited", "attrition", "default", "defaulted", "is_spam", "spam", "toxic",
    "is_toxic", "toxicity", "hate_speech", "flagged", "violation", "moderated", "removed", "clicked",
    "click", "converted", "conversion", "purchased", "subscribed", "survived", "approved", "cnt",
    "count", "rentals", "demand", "sales", "sentiment", "income", "quality", "price", "duration",
    "late", "delayed", "deposit", "stars", "rating", "category",
)  # fmt: skip
IDS = (
    "prediction_id", "event_id", "id", "uuid", "guid", "row_id", "record_id", "request_id",
    "transaction_id", "trans_id", "trans_num", "booking_id", "order_id", "comment_id", "instant",
    "index", "key", "unnamed_0",
)  # fmt: skip
SCORES = (
    "score", "predicted_probability", "prediction_probability", "probability", "proba", "y_score",
    "y_proba", "y_pred_proba", "model_score", "predicted_score", "prediction_score", "p_hat",
)  # fmt: skip
PREDICTIONS = (
    "prediction", "predicted", "y_pred", "predicted_label", "pred", "y_hat", "predicted_class",
    "predicted_value", "model_prediction",
)  # fmt: skip
SEGMENTS = (
    "segment", "region", "country", "market", "market_segment", "channel", "device", "platform",
    "plan", "tier", "carrier", "origin", "hotel", "store", "category", "type", "customer_type",
    "contract", "artist", "language", "season", "weather", "weathersit", "policy", "product",
)  # fmt: skip
LEAD = ("lead_time", "lead_days", "lead_time_days", "days_in_advance", "advance_days")
_PROTECTED = {
    "sex", "gender", "race", "rac1p", "ethnic", "ethnicity", "religion", "nationality", "agep",
    "disability", "pregnant", "pregnancy", "orientation", "birthdate", "dob", "birthday",
}  # fmt: skip
_PERSON = {"customer", "user", "person", "driver", "patient", "applicant", "client", "employee"}
_CODES = {
    "id",
    "ids",
    "code",
    "zip",
    "zipcode",
    "postcode",
    "postal",
    "key",
    "sku",
    "agent",
    "company",
}
_COUNTS = {
    "num", "count", "cnt", "total", "n", "nr", "number", "children", "adults", "babies", "nights",
    "days", "visits", "quantity", "qty", "amount", "cancellations", "changes", "requests", "spaces",
}  # fmt: skip
_AFTERWARDS = {
    "actual", "final", "outcome", "result", "resolution", "status", "after", "delay", "chargeback",
    "cancelled", "canceled", "realised", "realized", "response", "settled", "refund", "verdict", "decision",
}  # fmt: skip


def snake(name: str) -> str:
    """Return a name in small letters with underscores.

    >>> snake("isFraud"), snake("Transaction Date"), snake("Unnamed: 0")
    ('is_fraud', 'transaction_date', 'unnamed_0')
    """
    return _BREAK.sub("_", _CAMEL.sub("_", name).lower()).strip("_")


def words(name: str) -> list[str]:
    """Return the words of a name.

    >>> words("arrivalDate_year")
    ['arrival', 'date', 'year']
    """
    return [word for word in snake(name).split("_") if word]


def rank(name: str, hints: tuple[str, ...]) -> int:
    """Return how early `name` stands among `hints`, greatest first; 0 if it does not.

    >>> rank("isFraud", LABEL) > rank("price", LABEL) > rank("colour", LABEL) == 0
    True
    """
    plain = snake(name)
    return len(hints) - hints.index(plain) if plain in hints else 0


def first_named(names: Iterable[str], hints: tuple[str, ...]) -> str | None:
    """Return the name that stands earliest among `hints`, if any does."""
    best = max(names, key=lambda name: rank(name, hints), default=None)
    return best if best is not None and rank(best, hints) else None


def is_protected(name: str) -> bool:
    """Whether a name speaks of a person's protected attribute.

    >>> is_protected("RAC1P"), is_protected("customer_age"), is_protected("plane_age")
    (True, True, False)
    """
    parts = words(name)
    if parts == ["age"] or (parts[-1:] == ["age"] and parts[0] in _PERSON):
        return True
    return bool(_PROTECTED & {*parts, name.lower()})


def is_code(name: str) -> bool:
    """Whether a number of this name is a name in truth: an id, a code, a postcode."""
    return bool(_CODES & set(words(name)))


def is_count(name: str) -> bool:
    """Whether a number of this name counts or measures something."""
    return bool(_COUNTS & set(words(name)))


def is_afterwards(name: str) -> bool:
    """Whether a name sounds like something that is known only when the outcome is."""
    return bool(_AFTERWARDS & set(words(name)))
