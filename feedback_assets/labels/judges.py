"""Which labels may judge a model: enter the hold-out, trials and metrics."""

from feedback_assets.config.schema import Config
from feedback_assets.labels.patterns import fits_sql

REVIEW = "review"
"""Source of labels that were asked for a strategy's reason: hard rows, no fair sample."""
AUDIT = "audit"
"""Source of labels of rows that were drawn evenly from all."""
PEOPLE = "people"
"""The principal of a label on which several people agreed; one alone is `person:<name>`."""
AUTOMATIC = "automatic"
"""Source of labels that the model gave itself."""
NEVER = (REVIEW, AUTOMATIC)


def may_judge_sql(config: Config, alias: str = "") -> str:
    """Portable SQL, never null: the row's label may judge a model.

    Labels asked for a strategy's reason (`review`) and automatic ones never may; with
    `trust.judges` only those whose source or principal it names.

    Args:
        config: The loop.
        alias: Of the relation with the columns `label_source` and `label_principal`.
    """
    dot = f"{alias}." if alias else ""
    return said_judge_sql(config, f"{dot}label_source", f"{dot}label_principal")


def said_judge_sql(config: Config, source: str, principal: str) -> str:
    """The same of any two columns that hold the source and the principal."""
    told = f"COALESCE({source}, '') NOT IN ('{REVIEW}', '{AUTOMATIC}')"
    if not config.trust.judges:
        return f"({told})"
    return f"({told} AND ({fits_sql([source, principal], config.trust.judges)}))"


def by_people_sql(source: str, principal: str) -> str:
    """Portable SQL, never null: the label is what people answered to a question.

    Args:
        source: Column that holds the label's source.
        principal: Column that holds who said it.
    """
    return (
        f"(COALESCE({source}, '') IN ('{REVIEW}', '{AUDIT}')"
        f" AND (COALESCE({principal}, '') = '{PEOPLE}' OR COALESCE({principal}, '') LIKE 'person:%'))"
    )
