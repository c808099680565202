"""A loop's configuration as it once was: each change of it is a record with the whole of it."""

from collections.abc import Sequence

from pydantic import ValidationError

from feedback_assets.config.schema import Config
from feedback_assets.promotion.decisions import Decision


def config_by_digest(known: Sequence[Decision], digest: str | None) -> Config | None:
    """The configuration with this digest; None where no record holds it, or none that this release reads.

    Args:
        known: The loop's decisions.
        digest: As decisions and manifests name it.
    """
    for decision in known:
        if decision.kind == "config" and decision.evidence.get("digest") == digest:
            try:
                return Config.model_validate(decision.details.get("config"))
            except ValidationError:
                return None
    return None
