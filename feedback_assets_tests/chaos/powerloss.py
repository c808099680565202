"""A disk in memory that forgets, at a power loss, whatever was not synced: a VFS for SQLite.

The model is harsher than most disks. Each 512 or 4,096 byte sector of a file holds, after the loss,
any of the versions that were written to it since the file's last sync, whatever became of its
neighbours (lost and reordered writes), or a mixture of two of them (torn), or, on a disk that does
not promise otherwise, junk. Its length is any of those it had since. A name in the folder that was
made or deleted, and not synced, may be there or not.

There is no shared memory: connections must lock exclusively, one at a time.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import apsw

SECTORS = (512, 4_096)
_names = count()


class PowerLost(Exception):
    """There is no power: nothing reaches the disk any more."""


@dataclass
class Node:
    """A file: what it holds, what of that is safe, and the writes that are not."""

    current: bytearray = field(default_factory=bytearray)
    safe: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Offset and data in the order written; a new length and None."""

    def write(self, offset: int, data: bytes) -> None:
        _apply(self.current, offset, data)
        self.pending.append((offset, data))

    def truncate(self, length: int) -> None:
        _apply(self.current, length, None)
        self.pending.append((length, None))

    def sync(self) -> None:
        for offset, data in self.pending:
            _apply(self.safe, offset, data)
        self.pending.clear()

    def after_loss(self, chance: random.Random, sector: int, *, junk: bool) -> "Node":
        """The file as it is found when the power is back."""
        found = bytearray(self.safe)
        lengths = [len(found)]
        state = bytearray(self.safe)
        versions: dict[int, list[bytes]] = {}
        for offset, data in self.pending:
            _apply(state, offset, data)
            lengths.append(len(state))
            if data:
                for index in range(offset // sector, (offset + len(data) - 1) // sector + 1):
                    start = index * sector
                    versions.setdefault(index, []).append(bytes(state[start : start + sector]))
        for index, written in versions.items():
            start = index * sector
            old = bytes(self.safe[start : start + sector]).ljust(sector, b"\0")
            choices = [old] + [version.ljust(sector, b"\0") for version in written]
            kept = chance.choice(choices)
            fate = chance.random()
            if fate < 0.2:
                cut = chance.randrange(sector)
                kept = kept[:cut] + chance.choice(choices)[cut:]
            elif junk and fate < 0.4:
                kept = chance.randbytes(sector)
            if len(found) < start:
                found.extend(bytes(start - len(found)))
            found[start : start + sector] = kept
        length = chance.choice(lengths) if chance.random() < 0.5 else lengths[-1]
        _apply(found, length, None)
        return Node(bytearray(found), bytearray(found))


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    if data is None:
        del content[offset:]
    else:
        content[offset : offset + len(data)] = data


class Disk(apsw.VFS):
    """One folder of files, known to SQLite by the name of the disk.

    Args:
        seed: Of everything that is drawn here.
        sector: Bytes that are written together or not.
        safe_overwrite: Bytes next to those written stay what they are, which SQLite takes for
            granted; without it a sector with an unsynced write may become junk.
    """

    def __init__(self, seed: int, sector: int = 4_096, *, safe_overwrite: bool = True) -> None:
        self.name = f"powerloss{next(_names)}"
        self.chance = random.Random(seed)
        self.sector = sector
        self.safe_overwrite = safe_overwrite
        self.folder: dict[str, Node] = {}
        self.safe_folder: dict[str, Node] = {}
        self.dead = False
        self.operations = 0
        self.last: int | None = None
        """The operation at which the power goes."""
        super().__init__(self.name, base="")

    def operate(self) -> None:
        """Count a write, sync, truncation or deletion about to be made.

        Raises:
            PowerLost: It is not made any more.
        """
        self.operations += 1
        if self.last is not None and self.operations >= self.last:
            self.dead = True
        if self.dead:
            raise PowerLost

    def keep(self, name: str) -> None:
        """Make an empty file whose name is safe, if there is none."""
        for folder in (self.folder, self.safe_folder):
            folder.setdefault(name, self.folder.get(name) or Node())

    def sync_folder(self) -> None:
        self.safe_folder = dict(self.folder)

    def lose_power(self) -> None:
        """Become the disk that is found when the power is back."""
        found: dict[str, Node] = {}
        for name in {**self.safe_folder, **self.folder}:
            states = [self.safe_folder.get(name), self.folder.get(name)]
            if (node := self.chance.choice(states)) is not None:
                found[name] = node.after_loss(
                    self.chance, self.sector, junk=not self.safe_overwrite
                )
        self.folder, self.safe_folder = found, dict(found)
        self.dead, self.operations, self.last = False, 0, None

    def xOpen(self, name: Any, flags: list[int]) -> "OpenFile":
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None:
            return OpenFile(self, Node(), flags[0])
        if path not in self.folder:
            if not flags[0] & apsw.SQLITE_OPEN_CREATE:
                raise apsw.CantOpenError
            self.folder[path] = Node()
            journal = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL
            return OpenFile(self, self.folder[path], flags[0], new=bool(flags[0] & journal))
        return OpenFile(self, self.folder[path], flags[0])

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.operate()
        if self.folder.pop(filename, None) is None:
            missing = apsw.IOError("no such file")
            missing.extendedresult = apsw.SQLITE_IOERR_DELETE_NOENT
            raise missing
        if syncdir:
            self.sync_folder()

    def xAccess(self, pathname: str, flags: int) -> bool:
        return pathname in self.folder

    def xFullPathname(self, name: str) -> str:
        return name


class OpenFile:
    """A file as SQLite has it open."""

    def __init__(self, disk: Disk, node: Node, flags: int, *, new: bool = False) -> None:
        self._disk, self._node, self._flags, self._new = disk, node, flags, new

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._node.current[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.operate()
        self._node.write(offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:
        self._disk.operate()
        self._node.truncate(newsize)

    def xSync(self, flags: int) -> None:
        self._disk.operate()
        self._node.sync()
        if self._new:  # as SQLite does on Unix with a journal or log that it has made
            self._disk.sync_folder()
            self._new = False

    def xFileSize(self) -> int:
        return len(self._node.current)

    def xSectorSize(self) -> int:
        return self._disk.sector

    def xDeviceCharacteristics(self) -> int:
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE if self._disk.safe_overwrite else 0

    def xFileControl(self, op: int, ptr: int) -> bool:
        return False

    def xLock(self, level: int) -> None:
        pass

    def xUnlock(self, level: int) -> None:
        pass

    def xCheckReservedLock(self) -> bool:
        return False

    def xClose(self) -> None:
        pass


@contextmanager
def powered(seed: int, sector: int, *, safe_overwrite: bool = True) -> Iterator[Disk]:
    """A disk that SQLite forgets at the end."""
    disk = Disk(seed, sector, safe_overwrite=safe_overwrite)
    try:
        yield disk
    finally:
        disk.unregister()
