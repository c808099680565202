"""One errand in a process of its own: `python -m ... URL HOME`, begun by a line on standard input."""

import sys
from pathlib import Path

from feedback_assets.review.labelstudio.sync import sync
from feedback_assets.review.store import ReviewStore, store_path
from feedback_assets.settings import Settings
from feedback_assets_tests.review.labelstudio.errands import LATER, loop


def main(url: str, home: str) -> None:
    sys.stdin.readline()
    store = ReviewStore(store_path(Path(home), "tiny"))
    sync(loop(url), Settings(home=Path(home)), store, LATER, print)


if __name__ == "__main__":
    main(*sys.argv[1:])
