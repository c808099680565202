"""Where a loop's versions stand, as MLflow shows it: aliases, and the tags `stage` and `env`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from feedback_assets.settings import Settings
from feedback_assets.training.registry import (
    ALIASES,
    CANDIDATE,
    CHAMPION,
    aliases_of,
    registry_client,
)

HELD = (CHAMPION, "canary", "shadow", "previous")
"""Aliases that make a version's stage; of a version that holds several, the first one does."""
ENVIRONMENTS = {CHAMPION: "prod", "canary": "staging", "shadow": "staging", "previous": "staging"}
"""Stage to `env` tag: who answers, who is tried or stands by; whoever else is in `dev`."""


@dataclass(frozen=True)
class Stages:
    """Where a loop's versions stand, by the ledger; every version that is not named is a candidate.

    Attributes:
        champion: Who answers.
        previous: Whom a rollback returns to.
        canary: Who answers a share of the requests.
        shadow: Who scores beside the champion.
        candidate: The newest version.
        shadowing: Further versions on trial in shadow, which the service does not ask.
        refused: Who was judged and refused.
        retired: Who was champion once.
    """

    champion: int | None = None
    previous: int | None = None
    canary: int | None = None
    shadow: int | None = None
    candidate: int | None = None
    shadowing: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()
    retired: tuple[int, ...] = ()

    def holder(self, alias: str) -> int | None:
        """The version that holds one of `ALIASES`."""
        version: int | None = getattr(self, alias)
        return version

    def stage(self, version: int) -> str:
        """A version's `stage` tag."""
        held = next((a for a in HELD if self.holder(a) == version), None)
        if held is not None:
            return held
        if version in self.shadowing:
            return "shadow"
        if version in self.retired:
            return "retired"
        return "refused" if version in self.refused else CANDIDATE


def project_stages(settings: Settings, loop: str, stages: Stages) -> None:
    """Bring every alias, and the tags `stage` and `env` of every version, in line with the ledger.

    Only what differs is written, so it may be called after every decision and by any rerun.

    Args:
        settings: Where MLflow's database is.
        loop: The loop.
        stages: Where its versions stand.
    """
    with registry_client(settings) as client:
        for version in _all_versions(client, loop):
            stage = stages.stage(int(version.version))
            told = {"stage": stage, "env": ENVIRONMENTS.get(stage, "dev")}
            for name, value in told.items():
                if version.tags.get(name) != value:
                    client.set_model_version_tag(loop, str(version.version), name, value)
        there = aliases_of(client, loop)
        for alias in ALIASES:
            wanted = stages.holder(alias)
            if there.get(alias) == wanted:
                continue
            if wanted is None:
                client.delete_registered_model_alias(loop, alias)
            else:
                client.set_registered_model_alias(loop, alias, str(wanted))


def _all_versions(client: Any, loop: str) -> Iterator[Any]:
    page = None
    while True:
        found = client.search_model_versions(f"name='{loop}'", page_token=page)
        yield from found
        page = found.token
        if not page:
            return
