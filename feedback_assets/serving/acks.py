"""Which services follow which models: each writes a file that says who answers there now.

`<home>/serving/<loop>/acks/<host>-<pid>.json` is replaced when the line-up changes, and touched while
the service lives. Nothing depends on it but people and records that want to know: a service that
cannot write it answers as before.
"""

import datetime as dt
import logging
import os
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from feedback_assets.serving.counts import Counts
from feedback_assets.serving.lineup import Lineup
from feedback_assets.serving.served import ServedModel
from feedback_assets.settings import Settings

BEAT = 10.0
"""Seconds between two signs of life."""
ALIVE = 60.0
"""Seconds without a sign of life after which a service counts as gone."""
LOOK = 0.02
"""Seconds between two looks of whoever waits."""
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
logger = logging.getLogger(__name__)


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers in one service."""

    service: str
    """`<host>-<pid>`."""
    host: str
    pid: int
    generation: int
    """Of the manifest that answers there."""
    champion: int | None
    """Version; None when fallbacks answer."""
    challenger: int | None
    stage: Literal["shadow", "canary"] | None
    """Of the challenger."""
    at: dt.datetime
    """When it swapped to this generation, by its own clock."""
    answered: int
    """Rows it had answered by then."""
    unanswered: int
    """Rows it could not answer by then."""
    problem: str
    """What keeps it from following; empty when nothing does."""


@dataclass(frozen=True)
class Following:
    """Who follows a generation and who does not yet.

    Attributes:
        generation: Of the manifest.
        followed: Services that answer by it or by a later one.
        late: Services that answer by an older one.
    """

    generation: int
    followed: tuple[Ack, ...]
    late: tuple[Ack, ...]

    @property
    def complete(self) -> bool:
        """Whether nobody is late; so it is too where no service is up."""
        return not self.late

    def seconds(self, since: dt.datetime) -> float:
        """Seconds from a moment until the last of those who followed answered by it; 0 of nobody."""
        moments = [ack.at for ack in self.followed]
        return max((max(moments) - since).total_seconds(), 0.0) if moments else 0.0


def services(settings: Settings, loop: str, within: float = ALIVE) -> list[Ack]:
    """What the services that are up say, ordered by name.

    A service is up when it gave a sign of life within so many seconds and, on this host, its process
    is there. Files that cannot be read count as nobody.
    """
    return sorted(
        (ack for path, ack in _read(_folder(settings, loop)) if _lives(path, ack, within)),
        key=lambda ack: ack.service,
    )


def acknowledged(
    settings: Settings, loop: str, generation: int, within: float = ALIVE
) -> list[Ack]:
    """The services that answer by this generation of the manifest or by a later one."""
    return [ack for ack in services(settings, loop, within) if _follows(ack, generation)]


def following(settings: Settings, loop: str, generation: int) -> Following:
    """Who follows a generation now."""
    up = services(settings, loop)
    return Following(
        generation,
        tuple(ack for ack in up if _follows(ack, generation)),
        tuple(ack for ack in up if not _follows(ack, generation)),
    )


def await_following(settings: Settings, loop: str, generation: int, seconds: float) -> Following:
    """Look until every service follows, or the time is over; at once where no service is up."""
    end = time.monotonic() + seconds
    while True:
        found = following(settings, loop, generation)
        if found.complete or time.monotonic() >= end:
            return found
        time.sleep(LOOK)


class Acknowledger:
    """The hand of one service that writes its file; never raises."""

    def __init__(self, settings: Settings, loop: str, counts: Counts) -> None:
        self._folder = _folder(settings, loop)
        self._host = _UNSAFE.sub("_", socket.gethostname()) or "host"
        self._counts = counts
        self._told: Ack | None = None
        self._beat_at = 0.0
        self._failed = False

    def tell(self, lineup: Lineup, problem: str) -> None:
        """Say who answers now, if that is something new."""
        now = Ack(
            service=self._service,
            host=self._host,
            pid=os.getpid(),
            generation=lineup.generation,
            champion=_version(lineup.champion),
            challenger=_version(lineup.challenger),
            stage=lineup.stage,
            at=dt.datetime.now(dt.UTC),
            problem=problem,
            **self._rows(),
        )
        last = self._told
        if last is not None and _who(last) == _who(now):
            if last.problem == problem:
                return
            now = msgspec.structs.replace(now, at=last.at)
        self._told = now
        self._write()

    def beat(self) -> None:
        """Give a sign of life when it is time; a file that is gone is written again."""
        if self._told is None or time.monotonic() < self._beat_at:
            return
        self._beat_at = time.monotonic() + BEAT
        try:
            os.utime(self._path)
        except OSError:
            self._write()

    def withdraw(self) -> None:
        """The service ends."""
        self._told = None
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            self._complain(error)

    @property
    def _service(self) -> str:
        return f"{self._host}-{os.getpid()}"

    @property
    def _path(self) -> Path:
        return self._folder / f"{self._service}.json"

    def _rows(self) -> dict[str, int]:
        counted = self._counts.all()
        return {name: counted.get(name, 0) for name in ("answered", "unanswered")}

    def _write(self) -> None:
        """Replace the file, whole or not at all; it need not outlive the power."""
        making = self._path.with_suffix(".tmp")
        try:
            if not self._folder.is_dir():
                self._folder.mkdir(parents=True)
            making.write_bytes(msgspec.json.encode(self._told))
            making.replace(self._path)
            self._sweep()
            self._failed = False
        except OSError as error:
            self._complain(error)

    def _sweep(self) -> None:
        """Take away what services left that were killed."""
        for path, ack in _read(self._folder):
            if not _lives(path, ack, ALIVE):
                path.unlink(missing_ok=True)

    def _complain(self, error: OSError) -> None:
        if not self._failed:
            logger.warning("%s cannot be written: %s", self._path, error)
        self._failed = True


def _folder(settings: Settings, loop: str) -> Path:
    return settings.serving / loop / "acks"


def _follows(ack: Ack, generation: int) -> bool:
    """Whether it answers by the generation; not if its champion could not be loaded."""
    headless = ack.champion is None and bool(ack.problem)
    return ack.generation >= generation and not headless


def _who(ack: Ack) -> tuple[object, ...]:
    return ack.generation, ack.champion, ack.challenger, ack.stage


def _version(model: ServedModel | None) -> int | None:
    return None if model is None else int(model.version)


def _read(folder: Path) -> Iterator[tuple[Path, Ack]]:
    for path in folder.glob("*.json"):
        try:
            yield path, msgspec.json.decode(path.read_bytes(), type=Ack)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            continue


def _lives(path: Path, ack: Ack, within: float) -> bool:
    try:
        if time.time() - path.stat().st_mtime > within:
            return False
    except OSError:
        return False
    return ack.host != _UNSAFE.sub("_", socket.gethostname()) or _runs(ack.pid)


def _runs(pid: int) -> bool:
    """Whether a process of this host is there, whoever it belongs to."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
