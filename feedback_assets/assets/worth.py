"""What single answers were, or would be, worth by the loop's own SQL expression."""

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.errors import ConfigError
from feedback_assets.performance.value import row_values
from feedback_assets.tables.connection import registered

Floats = npt.NDArray[np.float64]


def worth(config: Config, con: duckdb.DuckDBPyConnection, rows: pd.DataFrame) -> Floats | None:
    """Value of each row by `kpi.expression` [rows]; None where the file gives none.

    Raises:
        ConfigError: The expression does not run on the loop's columns.
    """
    expression = config.kpi.expression
    if expression is None or rows.empty:
        return None
    numbered = rows.assign(fa_row=np.arange(len(rows)))
    try:
        with registered(con, "fa_rows", numbered):
            found = con.execute(
                f"SELECT CAST(({expression}) AS DOUBLE) AS worth FROM fa_rows ORDER BY fa_row"
            ).fetchnumpy()["worth"]
    except duckdb.Error as error:
        raise ConfigError(
            f"{config.name}: kpi.expression {expression!r} does not run on a row of the feedback "
            f"table: {str(error).splitlines()[0]}"
        ) from error
    return np.ma.filled(np.ma.asarray(found, np.float64), np.nan)


def with_worth(config: Config, con: duckdb.DuckDBPyConnection, rows: pd.DataFrame) -> pd.DataFrame:
    """Labelled rows with `value`, what each answer was worth, where SQL or a matrix says so."""
    found = worth(config, con, rows)
    if found is None:
        found = row_values(
            config.kpi, config.label, rows["label"].to_numpy(), rows["prediction"].to_numpy()
        )
    return rows if found is None else rows.assign(value=found)


def with_worth_by_truth(
    config: Config, con: duckdb.DuckDBPyConnection, rows: pd.DataFrame
) -> pd.DataFrame:
    """A classifier's rows with `value_if_<class>`: their worth, were that class the truth."""
    if config.kpi.expression is None or config.label.kind == "regression":
        return rows
    truths: dict[str, str | int] = {c: c for c in config.label.classes} or {"0": 0, "1": 1}
    found = {
        f"value_if_{name}": worth(config, con, rows.assign(label=truth))
        for name, truth in truths.items()
    }
    return rows.assign(**found)
