"""Questions to Label Studio and answers back, inside a run: a server that is away stops nothing."""

import dagster as dg

from feedback_assets.assets.materialize import Metadata
from feedback_assets.assets.review_store import review_store
from feedback_assets.assets.space import LoopSpace
from feedback_assets.clock import Clock
from feedback_assets.errors import LabelStudioError
from feedback_assets.review.labelstudio.sync import sync


def exchange(space: LoopSpace, context: dg.AssetExecutionContext, clock: Clock) -> Metadata:
    """Send what waits and fetch what was answered; nothing where the file names no server.

    What could not be done now is done by the next call, so an error is told and not raised.
    """
    if space.config.review.label_studio is None:
        return {}
    try:
        found = sync(
            space.config, space.settings, review_store(space), clock.now(), context.log.info
        )
    except LabelStudioError as error:
        context.log.warning(str(error))
        return {"label_studio": str(error)}
    return {"label_studio": found.words(), "label_studio_project": dg.MetadataValue.url(found.url)}
