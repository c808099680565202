"""Where signed heads are kept besides: a file elsewhere, a git repository."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedback_assets.errors import LedgerError
from feedback_assets.ledger.schema import locked
from feedback_assets.settings import Settings

GIT_SECONDS = 30
_SEEN_BYTES = 1 << 16
"""How far back a head is looked for before it is written again; twice does no harm."""


def deliver(settings: Settings, loop: str, size: int, text: str) -> list[str]:
    """Hand a head to every witness that is set up and lacks it.

    A witness that fails stops nothing: the champion serves on, and the next head stands for this one.

    Returns:
        What went wrong, in words.
    """
    problems: list[str] = []
    if settings.witness is not None:
        try:
            _add_line(settings.witness.expanduser(), text)
        except OSError as error:
            problems.append(f"witness {settings.witness}: {error}")
    if settings.witness_git is not None:
        try:
            _commit(settings.witness_git.expanduser(), loop, size, text)
        except (OSError, subprocess.SubprocessError, LedgerError) as error:
            problems.append(f"witness {settings.witness_git}: {_said(error)}")
    return problems


def file_lines(path: Path) -> Iterator[str]:
    """The lines of a witness file.

    Raises:
        LedgerError: It cannot be read.
    """
    try:
        with path.expanduser().open(encoding="utf-8", errors="replace") as file:
            yield from file
    except OSError as error:
        raise LedgerError(f"witness {path} cannot be read: {error}") from error


def git_lines(repository: Path, loop: str) -> list[str]:
    """Every line that was ever committed for a loop, oldest first: history is the witness.

    Raises:
        LedgerError: It is no git repository.
    """
    repository = repository.expanduser()
    try:
        if not _git(repository, "rev-list", "-n", "1", "--all").strip():
            return []
        told = _git(
            repository, "log", "--reverse", "-p", "--no-color", "--no-ext-diff", "--no-renames",
            "--format=", "--unified=0", "--", _file(loop),
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise LedgerError(f"witness {repository} cannot be read: {_said(error)}") from error
    return [line[1:] for line in told.splitlines() if line.startswith("+{")]


def _add_line(path: Path, text: str) -> None:
    """Append only, in one write: the witness may allow nothing else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(handle).st_size
        tail = os.pread(handle, _SEEN_BYTES, max(0, size - _SEEN_BYTES))
        if text.encode() + b"\n" in tail:
            return
        torn = b"" if tail.endswith(b"\n") or not tail else b"\n"
        line = torn + text.encode() + b"\n"
        if os.write(handle, line) < len(line):
            raise OSError("the disk is full: the head was written in part")
        os.fsync(handle)
    finally:
        os.close(handle)


def _commit(repository: Path, loop: str, size: int, text: str) -> None:
    with _one_commit_at_a_time(repository):
        path = repository / _file(loop)
        path.parent.mkdir(parents=True, exist_ok=True)
        _add_line(path, text)
        name = str(path.relative_to(repository))
        _git(repository, "add", "--", name)
        if _git(repository, "status", "--porcelain", "--", name).strip():
            _git(
                repository, "-c", "user.name=feedback_assets", "-c", "user.email=ledger@localhost",
                "-c", "commit.gpgsign=false", "commit", "--quiet", "--no-verify",
                "-m", f"{loop}: {size} records", "--", name,
            )  # fmt: skip


@contextmanager
def _one_commit_at_a_time(repository: Path) -> Iterator[None]:
    inside = Path(_git(repository, "rev-parse", "--absolute-git-dir").strip())
    with locked(inside / "feedback_assets.lock"):
        yield


def _git(repository: Path, *words: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(  # noqa: S603  (no shell; words are ours)
        ["git", "-C", str(repository), *words],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
        timeout=GIT_SECONDS,
        env=clean,
    )
    return done.stdout


def _file(loop: str) -> str:
    return f"heads/{loop}.jsonl"


def _said(error: Exception) -> str:
    told = error.stderr if isinstance(error, subprocess.CalledProcessError) else ""
    return (told or str(error)).strip()
