"""Landed files: written hidden, synced, and named only when the state knows of them."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from feedback_assets.capture.importers.store import Store

_HIDDEN, _TEMPORARY = ".", ".tmp"


def file_name(number: int, ids: Iterable[bytes]) -> str:
    """Return the name of a landed file: the same records landed again would have it again."""
    digest = hashlib.blake2b(digest_size=8)
    for one in ids:
        digest.update(one)
    return f"{number:08d}-{digest.hexdigest()}.parquet"


def write_hidden(folder: Path, name: str, table: pa.Table) -> None:
    """Write a file that nobody lists yet, and see it on disk."""
    path = _hidden(folder, name)
    with path.open("wb") as stream:
        pq.write_table(table, stream, compression="zstd", row_group_size=65_536)
        stream.flush()
        os.fsync(stream.fileno())
    sync_folder(folder)


def show(folder: Path, names: Sequence[str]) -> None:
    """Give written files their names; those that have them already are left alone."""
    for name in names:
        path = _hidden(folder, name)
        if path.exists():
            path.replace(folder / name)
    if names:
        sync_folder(folder)


def recover(folder: Path, store: Store) -> None:
    """Finish what an import that was cut off began, and remove what it never committed."""
    names = store.pending()
    show(folder, names)
    store.drop_pending(names)
    for path in folder.glob(f"{_HIDDEN}*.parquet{_TEMPORARY}"):
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """See a folder's names on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _hidden(folder: Path, name: str) -> Path:
    return folder / f"{_HIDDEN}{name}{_TEMPORARY}"
