"""Questions out into CSV and JSONL files, and their answers back in."""

import datetime as dt
import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback_assets.config.schema import Config
from feedback_assets.errors import ReviewError
from feedback_assets.review.filerows import (
    BROKEN,
    LINE,
    Row,
    ending_of,
    read_rows,
    write_csv,
    write_jsonl,
)
from feedback_assets.review.records import Answer, Route, Task
from feedback_assets.review.store import ReviewStore
from feedback_assets.review.values import named, spelled

ROUTE: Route = "file"
TOLD = ("task_id", "prediction_id", "reason")
ASKED = ("label", "skip", "annotator", "confidence", "note")
"""Columns that people fill in; `skip` with yes, where they do not know."""
ROW, OPINION, WHY = "row.", "model.", "why"
YES = ("1", "true", "yes", "y", "x")
SAID_BEFORE = "this person said something else of this row before, which stands"
UNKNOWN = "there is no such question; was it exported from another home?"


@dataclass(frozen=True)
class Imported:
    """What became of the rows of a file."""

    stored: int
    repeated: int
    """Were kept before."""
    blank: int
    """Not answered yet."""
    refused: int
    refused_path: Path | None
    """Where the refused rows stand, each with the reason why."""


def export_tasks(
    store: ReviewStore, config: Config, path: Path, now: dt.datetime, limit: int = 1000
) -> int:
    """Write open questions into a file; nobody else is asked them until they are recalled.

    Args:
        store: The loop's questions.
        config: The loop.
        path: Ends in .csv or .jsonl.
        now: The present.
        limit: Questions at most.

    Returns:
        How many questions the file holds; without any none is written.

    Raises:
        ReviewError: The file is there already, or cannot be written.
    """
    ending = ending_of(path)
    if path.exists():
        raise ReviewError(f"{path} is there already: answers may stand in it; choose another name")
    store.reserve(ROUTE, [task.task_id for task in store.pending(now, limit)], now)
    # What an export that was killed had reserved is in no file.
    mine = [name for name, file in store.placed(ROUTE).items() if file is None]
    tasks = sorted(store.tasks(mine), key=lambda task: (-task.priority, task.task_id))
    if not tasks:
        return 0
    if ending == ".csv":
        rows = [flat(task, config) for task in tasks]
        names = dict.fromkeys(name for row in rows for name in row)
        write_csv(path, [*(n for n in names if n not in ASKED), *ASKED], rows, safe=True)
    else:
        write_jsonl(path, [nested(task, config) for task in tasks])
    store.place(ROUTE, dict.fromkeys(mine, path.name), now)
    return len(tasks)


def recall_tasks(store: ReviewStore) -> int:
    """Ask all again what stands in files and is not answered; answers in them are still taken."""
    placed = set(store.placed(ROUTE)) - set(store.closed(ROUTE))
    return store.unplace(ROUTE, sorted(placed))


def import_answers(
    store: ReviewStore,
    config: Config,
    path: Path,
    received_at: dt.datetime,
    annotator: str | None = None,
) -> Imported:
    """Keep the answers that people wrote into a file; once, however often it is read.

    What cannot be kept is written to `<file>.refused.csv` beside it, each row with the reason, to
    be mended there and read again.

    Args:
        store: The loop's questions.
        config: The loop.
        path: Ends in .csv or .jsonl.
        received_at: The present.
        annotator: Who answered where the row does not say it.

    Raises:
        ReviewError: The file as a whole cannot be read.
    """
    rows = read_rows(path)
    blank, refused, read = 0, list[Row](), list[tuple[Row, Answer]]()
    for row in rows:
        try:
            answer = answer_of(config, row, received_at, annotator)
        except ReviewError as error:
            refused.append({**row, WHY: str(error)})
        else:
            blank += answer is None
            read += [(row, answer)] if answer is not None else []
    told = store.take([answer for _, answer in read], received_at)
    words = {"conflict": SAID_BEFORE, "unknown": UNKNOWN}
    refused += [
        {**row, WHY: words[outcome]}
        for (row, _), outcome in zip(read, told, strict=True)
        if outcome in words
    ]
    counts = Counter(told)
    return Imported(
        counts["stored"], counts["repeated"], blank, len(refused), _refuse(path, refused)
    )


def flat(task: Task, config: Config) -> Row:
    """A question as a row of a CSV file."""
    return {
        **{name: nested(task, config)[name] for name in TOLD},
        **{f"{ROW}{name}": value for name, value in task.row.items()},
        **{f"{OPINION}{name}": value for name, value in _opinion(task, config).items()},
    }


def nested(task: Task, config: Config) -> Row:
    """A question as a JSON object; of the model only what people may see unasked."""
    return {
        "task_id": task.task_id,
        "prediction_id": task.prediction_id,
        "reason": task.reason,
        "row": dict(task.row),
        "model": dict(_opinion(task, config)),
        **dict.fromkeys(ASKED),
    }


def answer_of(
    config: Config, row: Row, received_at: dt.datetime, annotator: str | None
) -> Answer | None:
    """The answer that a row of a file holds; None where it is not answered.

    Raises:
        ReviewError: It holds something else, in words.
    """
    if BROKEN in row:
        raise ReviewError("this line is no row of the file: check its commas, quotes and braces")
    skipped = _text(row, "skip").lower() in YES
    value, task_id = row.get("label"), _text(row, "task_id")
    if not skipped and not _text(row, "label"):
        return None
    if not task_id:
        raise ReviewError("task_id is missing")
    if skipped and _text(row, "label"):
        raise ReviewError("it is skipped and has a label: clear one of them")
    name = _text(row, "annotator") or annotator
    if not name:
        raise ReviewError("annotator is missing: fill the column, or name one with --annotator")
    name, label = (
        named(name),
        None if skipped else spelled(config.label, value, config.review.words),
    )
    said = hashlib.sha256(json.dumps([task_id, name, label]).encode()).hexdigest()
    return Answer(
        annotation_id=f"file:{said[:20]}",
        task_id=task_id,
        annotator=name,
        said="skip" if skipped else "label",
        value=label,
        answered_at=received_at,
        confidence=_confidence(_text(row, "confidence")),
        route=ROUTE,
        saw_opinion=not config.review.hide_opinion,
        note=_text(row, "note"),
    )


def _confidence(text: str) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise ReviewError(f"confidence {text[:40]!r} must be a number from 0 to 1, or empty")
    return number


def _opinion(task: Task, config: Config) -> Mapping[str, Any]:
    return {} if config.review.hide_opinion else task.opinion


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value).strip()


def _refuse(path: Path, rows: list[Row]) -> Path | None:
    """Write refused rows beside their file; what an earlier reading refused there is gone."""
    beside = path.with_name(f"{path.name}.refused.csv")
    if not rows:
        beside.unlink(missing_ok=True)
        return None
    rows = sorted(rows, key=lambda row: int(row[LINE]))
    names = dict.fromkeys(name for row in rows for name in row if name not in (LINE, WHY))
    write_csv(beside, [LINE, WHY, *names], rows)
    return beside
