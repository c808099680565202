"""What the pool is made of: the feedback table, automatic labels, and with what chance rows were asked."""

from dataclasses import dataclass, field

from feedback_assets.assets.space import LoopSpace
from feedback_assets.labels.join import LABEL_TYPES
from feedback_assets.labels.judges import AUTOMATIC
from feedback_assets.labels.older import SAID, with_columns
from feedback_assets.sqltext import ident
from feedback_assets.tables.table import Snapshot

ASKED = "asked_probability"


@dataclass(frozen=True)
class PoolSource:
    """A relation with the feedback table's columns, and the versions it is read from.

    Attributes:
        relation: Text for FROM; beside `columns` it has `asked_probability` where people are asked.
        columns: The columns that the pool takes over.
        asked: Whether anybody was ever asked.
        inputs: Table to the version that is read.
    """

    relation: str
    columns: tuple[str, ...]
    asked: bool
    inputs: dict[str, int] = field(default_factory=dict)


def pool_source(space: LoopSpace, feedback: Snapshot) -> PoolSource:
    """Pin what the pool is made of now.

    Args:
        space: The loop.
        feedback: The feedback table.
    """
    relation = with_columns(feedback.relation(), feedback.columns(), SAID)
    columns = tuple(dict.fromkeys([*feedback.columns(), *SAID]))
    inputs = {"feedback_table": feedback.version}
    automatic = space.table("automatic_labels").snapshot()
    if space.config.review.automatic and automatic.version >= 0:
        inputs["automatic_labels"] = automatic.version
        relation = with_automatic(space, relation, columns, automatic)
    queue = space.table("review_queue").snapshot()
    if queue.version >= 0:
        inputs["review_queue"] = queue.version
        relation = with_chances(relation, queue)
    return PoolSource(relation, columns, queue.version >= 0, inputs)


def with_automatic(
    space: LoopSpace, relation: str, columns: tuple[str, ...], automatic: Snapshot
) -> str:
    """Rows without a label take the automatic one, if there is one."""
    takes = "rows.label_status = 'pending' AND given.label IS NOT NULL"
    own = {
        "label": f"CAST(given.label AS {LABEL_TYPES[space.config.label.kind]})",
        "label_status": "'accepted'",
        "label_source": f"'{AUTOMATIC}'",
        "label_received_time": "given.labelled_at",
    }
    chosen = [
        f"CASE WHEN {takes} THEN {own[name]} ELSE rows.{ident(name)} END AS {ident(name)}"
        if name in own
        else f"rows.{ident(name)}"
        for name in columns
    ]
    names = ["prediction_id", "label", "labelled_at"]
    return f"""(
  SELECT {", ".join(chosen)} FROM {relation} AS rows LEFT JOIN (
    SELECT prediction_id, label, labelled_at, ROW_NUMBER() OVER (
      PARTITION BY prediction_id ORDER BY labelled_at DESC, label) AS place
    FROM {automatic.relation(None, names)} AS every_one
  ) AS given ON given.prediction_id = rows.prediction_id AND given.place = 1)"""


def with_chances(relation: str, queue: Snapshot) -> str:
    """Rows that people were asked about get the chance with which they were."""
    names = ["prediction_id", "probability", "strategy"]
    return f"""(
  SELECT told.*, asked.{ASKED} FROM {relation} AS told LEFT JOIN (
    SELECT prediction_id, MAX(probability) AS {ASKED}
    FROM {queue.relation(None, names)} AS questions WHERE strategy <> 'golden'
    GROUP BY prediction_id
  ) AS asked ON asked.prediction_id = told.prediction_id)"""
