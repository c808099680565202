# ruff: noqa: ARG002 - the arguments are those of the real inbox
"""The inbox without its disk: what is left of a request when nothing is kept."""

from collections.abc import Sequence

from feedback_assets.capture.inbox.records import Entry, Outcome, Replay


class InstantInbox:
    """An inbox that says of everything that it is stored, and stores nothing."""

    async def append(self, entries: Sequence[Entry], replay: Replay | None = None) -> list[Outcome]:
        """Acknowledge at once."""
        return [Outcome("stored", 1)] * len(entries)

    def append_soon(self, entries: Sequence[Entry]) -> bool:
        """Acknowledge at once."""
        return True

    async def remember(self, replay: Replay) -> None:
        """Forget."""

    async def replayed(self, principal: str, key: str) -> Replay | None:
        """Nothing was kept."""
        return None

    async def find(self, stream: str, loop: str, key: str) -> bytes | None:
        """Nothing was kept."""
        return None

    def counters(self) -> dict[str, float]:
        """None were kept."""
        return {}

    def save_counters(self, counters: dict[str, float]) -> None:
        """Forget."""

    def waiting(self) -> int:
        """Nothing waits."""
        return 0

    def stopped(self) -> str:
        """It never stops."""
        return ""

    async def close(self) -> None:
        """Nothing is open."""
