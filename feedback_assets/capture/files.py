"""The files of one source: which there are, of which format, and whether they changed."""

import datetime as dt
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path
from typing import Literal

from feedback_assets.config.grain import Grain, partition_key_of
from feedback_assets.config.source import FileSource as Source
from feedback_assets.settings import Settings

Format = Literal["parquet", "csv", "jsonl"]

_ENDINGS: dict[str, Format] = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
}  # fmt: skip
NOWHERE = "{home}/sources/none"
"""What stands for the folder of a source without one."""
_COMPRESSED = (".gz", ".bz2", ".zst")
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")
_DATED = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?:T(\d{2}))?(?!\d)")


@dataclass(frozen=True, order=True)
class SourceFile:
    """One file as it was when it was listed."""

    name: str
    """Path below the source's folder: the same wherever the folder lies."""
    path: Path
    size: int
    mtime_ns: int
    format: Format

    @property
    def fingerprint(self) -> str:
        """Changes when the file is renamed, rewritten or replaced (16 hexadecimal digits)."""
        text = f"{self.name}\0{self.size}\0{self.mtime_ns}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def modified(self) -> dt.datetime:
        """When the file was last written."""
        return dt.datetime.fromtimestamp(self.mtime_ns / 1e9, dt.UTC)

    def fallback_partition(self, grain: Grain) -> str:
        """Return the partition for what no time could be read of.

        The date in the file's name, else the time of its last change.
        """
        dated = _DATED.search(self.path.name)
        if dated:
            try:
                moment = dt.datetime.fromisoformat(f"{dated[1]}T{dated[2] or '00'}:00:00+00:00")
                return partition_key_of(grain, moment)
            except ValueError:
                pass  # digits that are no date: the time of the last change tells
        return partition_key_of(grain, self.modified)


class FileSource:
    """A folder or glob of files, listed on demand; without a path there are none."""

    def __init__(self, config: Source, settings: Settings) -> None:
        project = settings.configs.expanduser().resolve().parent
        text = (config.path or NOWHERE).replace("{home}", str(settings.root))
        self.pattern = project / Path(text).expanduser()
        self.format = config.format
        self.foreign = config.foreign
        self.nowhere = config.path is None

    @property
    def base(self) -> Path:
        """The deepest folder that holds every file of the source."""
        if self.pattern.is_file():
            return self.pattern.parent
        parts = self.pattern.parts
        plain = next((i for i, part in enumerate(parts) if has_magic(part)), len(parts))
        return Path(*parts[:plain])

    def own(self) -> "list[SourceFile]":
        """Return the files that are read as they are: none when logs are imported first."""
        return [] if self.foreign else self.list()

    def list(self) -> "list[SourceFile]":
        """Return the finished files, ordered by name; none when the folder is not there yet.

        Left out are hidden files and folders, names that begin with `_`, files still being
        written by their name (`*.tmp`, `*.part`), and, with format `auto`, unknown endings.
        """
        found = (self._described(path) for path in self._paths())
        return sorted(file for file in found if file is not None)

    def _paths(self) -> Iterator[Path]:
        if self.pattern.is_file():
            yield self.pattern
        elif self.base == self.pattern:
            yield from self.pattern.rglob("*")
        else:
            yield from self.base.glob(str(self.pattern.relative_to(self.base)))

    def _format_of(self, path: Path) -> Format | None:
        if self.foreign:  # logs are often named without an ending
            return format_of(path) or "jsonl"
        return format_of(path) if self.format == "auto" else self.format  # type: ignore[return-value]

    def _described(self, path: Path) -> SourceFile | None:
        name = path.relative_to(self.base)
        if any(part.startswith((".", "_")) for part in name.parts):
            return None
        form = self._format_of(path)
        if form is None or path.name.lower().endswith(_UNFINISHED):
            return None
        try:
            stat = path.stat()
        except FileNotFoundError:  # taken away between listing and looking
            return None
        if not path.is_file():
            return None
        return SourceFile(name.as_posix(), path, stat.st_size, stat.st_mtime_ns, form)


def format_of(path: Path) -> Format | None:
    """Return a file's format by its ending (`.gz`, `.bz2` and `.zst` may follow), if known."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return _ENDINGS.get(suffixes[-1]) if suffixes else None
