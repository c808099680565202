"""Why a prediction deserves a second look, as far as its own row tells.

What needs more than the row (the training data, the day's verdicts) is found by the asset `flags`;
both have their words here.
"""

from feedback_assets.config.schema import Config
from feedback_assets.sqltext import ident, number

WORDS = {
    "low_confidence": "the model is not sure",
    "error": "the answer was wrong",
    "disputed": "its labels disagree",
    "correction": "somebody corrected the answer",
    "rating": "somebody rated it",
    "rejection": "somebody rejected it",
    "anomalous_output": "no training row had such a score",
    "novel_input": "unlike anything in the training data",
    "drifted_region": "one of its columns has drifted",
    "weak_slice": "the model does badly on rows like it",
}
"""Code of a reason to its meaning."""
OF_ROW = ("low_confidence", "error", "disputed", "correction", "rating", "rejection")
"""The reasons that the feedback table's own column `flags` can hold, in this order."""


def row_flags_sql(config: Config) -> str:
    """Portable SQL of a VARCHAR: the reasons of `OF_ROW` that hold, joined by commas; null if none.

    It reads the columns of a joined row: `score`, `score_<class>`, `prediction`, `label`,
    `label_conflict`, `rating`, `corrected` (BOOLEAN) and `label_status`.
    """
    cases = [
        f"CASE WHEN {condition} THEN '{code}' END" for code, condition in conditions(config).items()
    ]
    return f"NULLIF(CONCAT_WS(',', {', '.join(cases)}), '')"


def conditions(config: Config) -> dict[str, str]:
    """Code of each reason of `OF_ROW` to its SQL condition."""
    found = {"low_confidence": confidence_sql(config)} if sure(config) else {}
    wrong = wrong_sql(config)
    found |= {"error": wrong} if wrong else {}
    low = config.flags.rating_below
    rated = "rating IS NOT NULL" if low is None else f"rating < {number(low)}"
    return found | {
        "disputed": "label_conflict",
        "correction": "corrected",
        "rating": rated,
        "rejection": "label_status = 'rejected'",
    }


def sure(config: Config) -> str:
    """SQL of the probability of the answer that was given; empty for a regression."""
    if config.label.kind == "regression":
        return ""
    if config.label.kind == "binary":
        return "CASE WHEN prediction = 1 THEN score ELSE 1e0 - score END"
    return "score"


def confidence_sql(config: Config) -> str:
    """SQL of: the answer's probability is too small. Near the threshold counts where it is not 0.5.

    With a threshold of 0.3 a score of 0.35 is an answer of 35%, which is honest and no reason to ask:
    so a binary score is compared with the threshold, scaled so that 0.5 stays 0.5.
    """
    limit = number(config.flags.confidence)
    if config.label.kind == "multiclass":
        return f"{sure(config)} < {limit}"
    t = number(config.label.threshold)
    scaled = (
        f"CASE WHEN score >= {t} THEN 5e-1 + 5e-1 * (score - {t}) / (1e0 - {t}) "
        f"ELSE 1e0 - 5e-1 * score / {t} END"
    )
    return f"({scaled}) < {limit}"


def wrong_sql(config: Config) -> str:
    """SQL of: the truth is known and differs from the answer; empty where no size says so."""
    if config.label.kind != "regression":
        return "prediction <> label"
    if config.flags.error is None:
        return ""
    return f"ABS(label - {ident('score')}) > {number(config.flags.error)}"
