"""A small file system of its own, which can be filled and freed while a process writes to it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

CHUNK = 2**20


def may_mount() -> bool:
    """Whether this user may mount a file system in a name space."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    tried = subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return tried.returncode == 0


@dataclass(frozen=True)
class SmallDisk:
    """A tmpfs that only processes begun by `inside` see at its place."""

    holder: int
    place: Path

    @property
    def seen(self) -> Path:
        """The same folder for everyone else."""
        return Path(f"/proc/{self.holder}/root{self.place}")

    @property
    def inside(self) -> list[str]:
        """The command that begins another one there."""
        return ["nsenter", "-t", str(self.holder), "-m", "--"]

    def fill(self, leave: int) -> None:
        """Leave so many bytes free, or fewer: others write meanwhile."""
        with (self.seen / "filler").open("ab", buffering=0) as file, suppress(OSError):
            while (more := self._available() - leave) > 0:
                file.write(bytes(min(more, CHUNK)))

    def free(self) -> None:
        """Give back what was filled."""
        (self.seen / "filler").unlink()

    def _available(self) -> int:
        state = os.statvfs(self.seen)
        return state.f_bavail * state.f_frsize


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[SmallDisk]:
    """A new one at a folder."""
    place.mkdir(parents=True, exist_ok=True)
    mount = f"mount -t tmpfs -o size={megabytes}m none '{place}' && echo mounted && exec cat"
    holder = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", mount],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mounted\n"
        yield SmallDisk(holder.pid, place)
    finally:
        holder.kill()
        holder.communicate()
