"""Foreign logs into `<home>/landing`: new records once, halves in pairs, the rest as refused."""

import datetime as dt
import fcntl
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from feedback_assets.capture.files import SourceFile
from feedback_assets.capture.importers import envelope_files, generic_files
from feedback_assets.capture.importers.chunks import Chunk
from feedback_assets.capture.importers.format import Format
from feedback_assets.capture.importers.formats import FORMATS
from feedback_assets.capture.importers.layout import Layout
from feedback_assets.capture.importers.records import Kind, Landed
from feedback_assets.capture.importers.store import Store, opened
from feedback_assets.capture.importers.writing import recover
from feedback_assets.config.schema import Config
from feedback_assets.errors import SourceError
from feedback_assets.settings import Settings
from feedback_assets.tables.connection import connect

STATE, LOCK = "unpaired.sqlite", ".lock"
PATIENCE = 60.0
"""Seconds to wait for another import of the same loop and kind to end."""
_DAY = 86_400_000_000
Clock = Callable[[], int]
Progress = Callable[[SourceFile], None]


def wall_clock() -> int:
    """Return now in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def land_new(
    config: Config,
    settings: Settings,
    kind: Kind,
    files: Sequence[SourceFile],
    fmt: str,
    column_map: Mapping[str, str] | None = None,
    *,
    now: Clock = wall_clock,
    progress: Progress | None = None,
) -> Landed:
    """Land the records of new and changed files that have not landed before.

    Each record lands once, however often it comes and wherever the process is killed. What is not
    of the format lands as a refused row; nothing that a file holds raises.

    Args:
        config: The loop.
        settings: Where its landing folder is.
        kind: What the files hold.
        files: Every file of the source; those that have not changed are not read. Their `format`
            is not looked at: Parquet is told by its first bytes, other files by their ending.
        fmt: A name of FORMATS.
        column_map: Names in the records to landed columns.
        now: The time in microseconds since 1970 UTC.
        progress: Called with each file before it is read.

    Raises:
        SourceError: if there is no such format, it does not carry this kind, the column map names
            unknown columns, another import does not end, or the landing folder cannot be written.
    """
    form, layout = _checked(config, kind, fmt, column_map)
    folder = settings.landing / config.name / kind
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder), opened(folder / STATE) as store:
            return _land(store, folder, form, layout, settings, files, now, progress)
    except OSError as error:
        raise SourceError(f"{folder} cannot be written: {error.strerror or error}") from error


def would_land(
    config: Config,
    settings: Settings,
    kind: Kind,
    files: Sequence[SourceFile],
    fmt: str,
    column_map: Mapping[str, str] | None = None,
    *,
    now: Clock = wall_clock,
    progress: Progress | None = None,
) -> Landed:
    """Return what `land_new` would do, without doing it; arguments and errors are the same."""
    form, layout = _checked(config, kind, fmt, column_map)
    state = settings.landing / config.name / kind / STATE
    settings.scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="import-", dir=settings.scratch))
    try:
        if state.exists():
            with closing(sqlite3.connect(state)) as old, closing(
                sqlite3.connect(folder / STATE)
            ) as new:  # fmt: skip
                old.backup(new)
        with opened(folder / STATE) as store:
            store.drop_pending(store.pending())
            return _land(store, folder, form, layout, settings, files, now, progress)
    except OSError as error:
        raise SourceError(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def landed_files(settings: Settings, loop: str, kind: Kind) -> list[SourceFile]:
    """Return the landed files of a loop, ordered by name."""
    folder = settings.landing / loop / kind
    found: list[SourceFile] = []
    for path in sorted(folder.glob("[!.]*.parquet")):
        stat = path.stat()
        found.append(SourceFile(path.name, path, stat.st_size, stat.st_mtime_ns, "parquet"))
    return found


def _checked(
    config: Config, kind: Kind, fmt: str, column_map: Mapping[str, str] | None
) -> tuple[Format, Layout]:
    form = FORMATS.get(fmt)
    if form is None:
        raise SourceError(f"there is no format {fmt}; there are: {', '.join(FORMATS)}")
    if kind not in form.kinds:
        able = ", ".join(name for name, other in FORMATS.items() if kind in other.kinds)
        raise SourceError(f"the format {fmt} carries no {kind}; these do: {able}")
    return form, Layout(config, kind, column_map)


def _land(
    store: Store,
    folder: Path,
    form: Format,
    layout: Layout,
    settings: Settings,
    files: Sequence[SourceFile],
    now: Clock,
    progress: Progress | None,
) -> Landed:
    recover(folder, store)
    counts, started = Landed(), now()
    chunk = Chunk(layout, store, folder, counts, started)
    moment = dt.datetime.fromtimestamp(started / 1e6, dt.UTC)
    if form.roles is not None:
        layout.roles = form.roles(files)
    new = [
        (file, place)
        for file in sorted(files)
        if (place := store.place(file, layout.signature)) is not None
    ]
    with ExitStack() as stack:
        con = stack.enter_context(connect(settings)) if form.tabular and new else None
        for file, place in new:
            counts.files += 1
            if progress is not None:
                progress(file)
            if con is not None:
                generic_files.take(con, chunk, file, settings.scratch, moment)
            else:
                envelope_files.take(chunk, file, form, place, moment)
    chunk.commit()
    days = layout.config.label.max_delay_days
    chunk.expire(started - int(days * _DAY), days)
    counts.waiting, counts.oldest_us = store.ages()
    return counts


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; it ends with the process, however that ends."""
    with (folder / LOCK).open("a") as handle:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise SourceError(
                        f"another import into {folder} has not ended for {PATIENCE:.0f} s; "
                        "try again when it has"
                    ) from None
                time.sleep(0.1)
        yield
