"""Which labels may judge a model: enter the hold-out, trials and metrics."""

from feedback_assets.config.schema import Config
from feedback_assets.labels.patterns import fits_sql

REVIEW = "review"
"""Source of labels that were asked for a strategy's reason: hard rows, no fair sample."""
AUDIT = "audit"
"""Source of labels of rows that were drawn evenly from all."""
PEOPLE = "people"
"""The principal of a label on which several people agreed; one alone is `person:<name>`."""
PERSON = "person:"
AUTOMATIC = "automatic"
"""Source of labels that the model gave itself."""
OWN = (AUDIT, REVIEW, AUTOMATIC)
"""Sources that nobody may claim: what they say of a label is known by how it was made."""


def may_judge_sql(config: Config, alias: str = "") -> str:
    """Portable SQL, never null: the row's label may judge a model.

    Labels asked for a strategy's reason (`review`) and automatic ones never may; with
    `trust.judges` only those whose source or principal it names. Who calls his labels `audit`
    without having been asked is known by his principal alone.

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
    who = [proven_source_sql(source, principal), principal]
    return f"({told} AND ({fits_sql(who, config.trust.judges)}))"


def proven_source_sql(source: str, principal: str) -> str:
    """Portable SQL: the source, null where it claims that people were asked and they were not.

    Args:
        source: Column that holds the label's source.
        principal: Column that holds who said it.
    """
    claimed = f"COALESCE({source}, '') IN ('{REVIEW}', '{AUDIT}')"
    return f"CASE WHEN {claimed} AND NOT {by_people_sql(source, principal)} THEN NULL ELSE {source} END"


def audited_sql(source: str, principal: str) -> str:
    """Portable SQL, never null: people said it of a row that was drawn evenly from all."""
    return f"({by_people_sql(source, principal)} AND {source} = '{AUDIT}')"


def by_people_sql(source: str, principal: str) -> str:
    """Portable SQL, never null: the label is what people answered to a question.

    Args:
        source: Column that holds the label's source.
        principal: Column that holds who said it.
    """
    return (
        f"(COALESCE({source}, '') IN ('{REVIEW}', '{AUDIT}') AND (COALESCE({principal}, '')"
        f" = '{PEOPLE}' OR COALESCE({principal}, '') LIKE '{PERSON}%'))"
    )
