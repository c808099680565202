"""A day of one gigabyte is staged in less than two gigabytes of memory."""

import subprocess
import sys
import textwrap

import pytest

SCRIPT = textwrap.dedent(
    """
    import datetime as dt, sys
    from pathlib import Path
    from feedback_assets.capture.files import FileSource
    from feedback_assets.capture.predictions import stage_predictions
    from feedback_assets.settings import Settings
    from feedback_assets.tables.connection import connect
    from feedback_assets_tests.capture.conftest import make_config

    settings = Settings(home=Path(sys.argv[1]))
    names = [f"x{i}" for i in range(8)]
    config = make_config(columns={"numeric": names, "categorical": ["carrier"]})
    files = FileSource(config.source.predictions, settings).list()
    with connect(settings) as con:
        as_of = dt.datetime(2013, 3, 1, tzinfo=dt.UTC)
        staged = stage_predictions(con, config, files, ["2013-02-01"], as_of)
    # not ru_maxrss: that begins with the peak of the process that started this one
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0])
    sys.stdout.write(f"\\n{staged.total.stored} {staged.total.quarantined} {peak}")
    """
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "options", "rows"),
    [("csv", "HEADER", 4_700_000), ("parquet", "COMPRESSION uncompressed", 9_200_000)],
)
def test_one_gigabyte_in_a_day(loop, con, tmp_path, ending, options, rows):
    path = loop.predictions / f"2013-02-01.{ending}"
    features = ", ".join(f"random() * 100 AS x{i}" for i in range(8))
    con.execute(
        f"COPY (SELECT uuid()::VARCHAR AS prediction_id, TIMESTAMP '2013-02-01' + "
        f"to_microseconds(range * 9000) AS event_time, '3' AS model_version, random() AS score, "
        f"{features}, CASE WHEN range % 1000 = 0 THEN NULL ELSE 'UA' END AS carrier "
        f"FROM range({rows})) TO '{path}' ({options})"
    )
    assert path.stat().st_size > 1e9

    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=True
    )
    path.unlink()

    stored, quarantined, peak_kb = map(int, run.stdout.split()[-3:])
    assert stored + quarantined == rows
    assert peak_kb < 2_000_000
