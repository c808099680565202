"""How much space is left, and when that is too little."""

import os
from collections.abc import Callable
from pathlib import Path

from feedback_assets.errors import InboxClosedError


def free_bytes(folder: Path) -> int:
    """What an ordinary user may still write to the folder's file system."""
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


class Floor:
    """Says why nothing is taken while less than the floor is free."""

    def __init__(self, folder: Path, floor_mb: int, free: Callable[[Path], int]) -> None:
        self._folder = folder
        self._floor = floor_mb * 1_000_000
        self._free = free

    def problem(self) -> str:
        """Empty while there is enough.

        Raises:
            InboxClosedError: The file system does not answer.
        """
        try:
            free = self._free(self._folder)
        except OSError as error:
            raise InboxClosedError(f"{self._folder}: {error.strerror or error}") from error
        if free >= self._floor:
            return ""
        return (
            f"{self._folder}: {free // 1_000_000} MB are free and settings.inbox_free_mb asks for"
            f" {self._floor // 1_000_000}; free some space"
        )
