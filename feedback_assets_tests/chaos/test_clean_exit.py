"""A process that has judged drift and rendered its page ends without a word."""

import subprocess
import sys

RUN = """
import sys
from pathlib import Path
from feedback_assets.assets.models import champion
from feedback_assets_tests.worlds import World
world = World(Path(sys.argv[1]), drift={"min_rows": 20, "pages_per_run": 1})
world.live("2024-01-01", 12)
world.at("2024-01-15")
list(world.ticker.settle())
assert champion(world.space)
world.live("2024-01-15", 1, labels=False, version="1", shift=4.0)
world.at("2024-01-16")
list(world.ticker.settle())
print(*(world.settings.reports.rglob("drift/*.html")))
"""


def test_nothing_is_leaked_at_exit(tmp_path):
    told = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "2024-01-15.html" in told.stdout
    assert "leaked" not in told.stderr
