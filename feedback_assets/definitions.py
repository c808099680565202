"""The code location: every loop in `configs/loops/` becomes assets, checks and sensors."""

import dagster as dg

from feedback_assets.garbage import keep_for_good


@dg.definitions
def feedback_assets() -> dg.Definitions:
    """The definitions of all loops."""
    keep_for_good()

    from feedback_assets.loop import all_loops
    from feedback_assets.settings import Settings

    return all_loops(Settings())
