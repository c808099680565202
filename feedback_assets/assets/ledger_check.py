"""Whether the decisions table says what the ledger says."""

import pandas as pd

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.space import LoopSpace
from feedback_assets.ledger.finding import Problem
from feedback_assets.promotion.decisions import COLUMNS, to_frame
from feedback_assets.tables.connection import connect


def projection_problems(space: LoopSpace) -> tuple[list[Problem], list[str]]:
    """Compare the decisions table with a ledger that was found good.

    Returns:
        Rows that the ledger does not have or has otherwise; and notes: rows that are not there
        yet are no wrong, the next decision brings them.
    """
    said = _comparable(to_frame(decisions(space)))
    snapshot = space.table("decisions").snapshot()
    if snapshot.partitions():
        with connect(space.settings) as con:
            shown = _comparable(con.execute(f"SELECT * FROM {snapshot.relation()}").df())
    else:
        shown = said.iloc[:0]
    problems = [
        Problem("projection", f"decisions table: {row} is not in the ledger")
        for row in shown.index.difference(said.index)
    ]
    common = said.index.intersection(shown.index)
    differ = said.loc[common].ne(shown.loc[common])
    for row, columns in differ[differ.any(axis=1)].iterrows():
        names = ", ".join(columns.index[columns])
        problems.append(
            Problem("projection", f"decisions table: {row} has another {names} than the ledger")
        )
    missing = len(said.index.difference(shown.index))
    notes = [f"decisions table: {missing} of {len(said)} are not there yet"] if missing else []
    return problems, notes


def _comparable(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows by decision id, every value as text."""
    time = pd.to_datetime(frame["time"], utc=True).dt.as_unit("us")
    texts = frame[list(COLUMNS)].assign(time=time.astype("string"))
    return texts.astype("string").fillna("").set_index("decision_id").sort_index()
