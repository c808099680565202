"""Where the loop's questions wait for people."""

from feedback_assets.assets.space import LoopSpace
from feedback_assets.review.store import ReviewStore, store_path


def review_store(space: LoopSpace) -> ReviewStore:
    """The loop's questions and answers."""
    return ReviewStore(store_path(space.settings.root, space.name))
