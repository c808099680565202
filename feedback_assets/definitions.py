"""The one place that wires: every loop in `configs/loops/` becomes assets, checks and sensors."""

import re

import dagster as dg

from feedback_assets.clock import Clock
from feedback_assets.config.load import load_loops
from feedback_assets.config.schema import Config
from feedback_assets.loop import FeedbackLoop, broken_loop
from feedback_assets.settings import Settings


def build(settings: Settings) -> dg.Definitions:
    """The definitions of all loops; one that does not load never stops the others."""
    clock = Clock()
    parts = [
        FeedbackLoop(loop, settings).definitions(clock)
        if isinstance(loop, Config)
        else broken_loop(re.sub(r"\W", "_", name), loop)
        for name, loop in load_loops(settings).items()
    ]
    return dg.Definitions.merge(dg.Definitions(), *parts)


@dg.definitions
def feedback_assets() -> dg.Definitions:
    """The code location."""
    return build(Settings())
