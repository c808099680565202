"""The Delta log on disk: what each commit means, and making it whole after a power loss.

Delta's own library writes log entries atomically but never forces them to the disk, so a power
loss can leave an empty or cut-off newest entry. `deltalake` then loses that commit silently or
cannot open the table at all.
"""

import datetime as dt
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

LOG_FOLDER = "_delta_log"
MEANING = "feedback_assets"
_logger = logging.getLogger(__name__)


def versions(table: Path) -> list[int]:
    """List the versions whose log entries are on disk, oldest first; empty for no table."""
    try:
        paths = list((table / LOG_FOLDER).iterdir())
    except FileNotFoundError:
        return []
    stems = (path.stem for path in paths if path.suffix == ".json")
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def entry_path(table: Path, version: int) -> Path:
    """Return the log entry of a version."""
    return table / LOG_FOLDER / f"{version:020d}.json"


def commit_info(table: Path, version: int) -> dict[str, Any]:
    """Read what a commit says of itself; our own part is under `MEANING`, decoded."""
    with entry_path(table, version).open("rb") as lines:
        found = (json.loads(line) for line in lines if line.startswith(b'{"commitInfo"'))
        entry: dict[str, Any] = next(found, {})
    info: dict[str, Any] = entry.get("commitInfo", {})
    info[MEANING] = json.loads(info.get(MEANING, "{}"))
    return info


def commit_time(info: dict[str, Any]) -> dt.datetime:
    """When the commit was made, UTC."""
    return dt.datetime.fromtimestamp(info.get("timestamp", 0) / 1000, tz=dt.UTC)


def newest_first(table: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each version with its commit info."""
    for version in reversed(versions(table)):
        yield version, commit_info(table, version)


def mentions(table: Path, since: int, file_name: str) -> bool:
    """Tell whether a commit from version `since` on names a data file."""
    later = (version for version in reversed(versions(table)) if version >= since)
    return any(file_name.encode() in entry_path(table, version).read_bytes() for version in later)


def heal(table: Path) -> None:
    """Move aside a newest log entry that a power loss left empty or cut off.

    The commit of such an entry never became durable; what it replaced is still there.
    """
    for version in reversed(versions(table)):
        entry = entry_path(table, version)
        if not _torn(entry):
            return
        _set_aside(table, entry)


def heal_checkpoint(table: Path) -> bool:
    """Move aside checkpoints that cannot be read; the log entries hold all they held.

    Returns:
        Whether anything was moved, so that opening the table is worth another try.
    """
    log = table / LOG_FOLDER
    torn = [path for path in log.glob("*.checkpoint*.parquet") if not _readable(path)]
    for path in torn:
        _set_aside(table, path)
    if torn:
        (log / "_last_checkpoint").unlink(missing_ok=True)
    return bool(torn)


def sync(path: Path) -> None:
    """Force a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_commit(table: Path, version: int) -> None:
    """Force a commit, and the checkpoint that it may have caused, to the disk."""
    log = table / LOG_FOLDER
    sync(entry_path(table, version))
    checkpoint = log / f"{version:020d}.checkpoint.parquet"
    if checkpoint.exists():
        sync(checkpoint)
        sync(log / "_last_checkpoint")
    sync(log)


def _torn(entry: Path) -> bool:
    """Tell whether a log entry lacks its end; an entry of ours says how many actions it has."""
    try:
        lines = entry.read_bytes().splitlines()
    except FileNotFoundError:
        return False
    try:
        actions = [json.loads(line) for line in lines]
    except ValueError:
        return True
    infos = [action["commitInfo"] for action in actions if "commitInfo" in action]
    if not infos:
        return not actions
    meaning = json.loads(infos[0].get(MEANING, "{}"))
    kinds = [kind for action in actions for kind in action if kind in ("add", "remove")]
    return bool(len(kinds) != meaning.get("actions", len(kinds)))


def _readable(checkpoint: Path) -> bool:
    try:
        pq.read_metadata(checkpoint)
    except (pa.ArrowException, OSError):
        return False
    return True


def _set_aside(table: Path, path: Path) -> None:
    quarantine = table / "_quarantine"
    quarantine.mkdir(exist_ok=True)
    target = quarantine / f"{path.name}.{uuid4().hex[:8]}"
    try:
        path.rename(target)
    except FileNotFoundError:
        return
    sync(table / LOG_FOLDER)
    _logger.warning("%s was torn by a crash and is set aside as %s", path, target)
