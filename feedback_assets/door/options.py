"""How a door behaves that the loops' files do not say."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class DoorOptions:
    """Options of one service."""

    replay: bool = False
    """Items may state `received_time`, so that a history can be played again."""
    open_to_all: bool = False
    """Nobody needs a token, as long as none was ever made; for loopback only."""
    stop: Callable[[str], None] | None = None
    """Told why the inbox takes nothing more; the process is to end then."""
