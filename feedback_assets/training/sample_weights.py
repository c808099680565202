"""The training weights that the rows of a pool bring with them."""

import pandas as pd

COLUMN = "weight"


def weights_of(rows: pd.DataFrame) -> pd.Series | None:
    """The rows' weights [n]; None for rows of a pool that was made before there were any.

    A row of such an older part of a pool weighs 1.

    >>> weights_of(pd.DataFrame({"label": [1]})) is None
    True
    """
    return rows[COLUMN].fillna(1.0) if COLUMN in rows else None
