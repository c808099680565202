"""Questions go out into files and answers come back, once, and nothing of a file is lost."""

import csv
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from feedback_assets.config.schema import Config
from feedback_assets.errors import ReviewError
from feedback_assets.review.files import export_tasks, import_answers, recall_tasks
from feedback_assets.review.store import ReviewStore
from feedback_assets_tests.review.questions import LEASE, NOW, answer, task
from feedback_assets_tests.worlds import LOOP


def config(kind: str = "binary", **review: Any) -> Config:
    return Config.model_validate({**LOOP, "label": {"kind": kind}, "review": review})


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: list[dict[str, str]], names: list[str] | None = None) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names or list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def filled(store: ReviewStore) -> ReviewStore:
    store.put(
        [task(number, row={"size": -1.5, "note": "=1+1", "größe": "ü"}) for number in range(4)]
    )
    return store


def test_a_file_goes_out_and_comes_back(filled: ReviewStore, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    assert export_tasks(filled, config(), path, NOW, limit=3) == 3
    rows = read(path)
    assert [row["task_id"] for row in rows] == ["t0", "t1", "t2"]
    assert rows[0]["row.size"] == "-1.5"
    assert rows[0]["row.note"] == "'=1+1"
    assert rows[0]["row.größe"] == "ü"
    assert not [name for name in rows[0] if name.startswith("model.")]
    rows[0] |= {"label": "yes", "annotator": "ann", "confidence": "0.5", "note": "sure"}
    rows[1] |= {"skip": "x", "annotator": "ann"}
    found = import_answers(filled, config(), write(path, rows), NOW)
    assert (found.stored, found.repeated, found.blank, found.refused) == (2, 0, 1, 0)
    first, second = (kept.answer for kept in filled.answers())
    assert (first.value, first.confidence, first.note, first.route) == ("1", 0.5, "sure", "file")
    assert (second.said, second.value) == ("skip", None)


def test_reading_a_file_twice_counts_once(filled: ReviewStore, tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", [{"task_id": "t1", "label": "0", "annotator": "ann"}])
    told = [import_answers(filled, config(), path, NOW) for _ in range(2)]
    assert [(one.stored, one.repeated) for one in told] == [(1, 0), (0, 1)]
    assert len(list(filled.answers())) == 1


def test_bad_rows_are_kept_with_the_reason_and_read_once_mended(
    filled: ReviewStore, tmp_path: Path
) -> None:
    filled.answer(answer("t3", "ann", "0"), NOW)
    bad = [
        {"task_id": "t0", "label": "maybe", "annotator": "ann", "confidence": "", "own": "a"},
        {"task_id": "t1", "label": "1", "annotator": "", "confidence": "", "own": "b"},
        {"task_id": "t2", "label": "1", "annotator": "ann", "confidence": "90", "own": "c"},
        {"task_id": "t3", "label": "1", "annotator": "ann", "confidence": "", "own": "d"},
        {"task_id": "t9", "label": "1", "annotator": "ann", "confidence": "", "own": "e"},
        {"task_id": "", "label": "1", "annotator": "ann", "confidence": "", "own": "f"},
        {"task_id": "t0", "label": "1", "annotator": "bob", "confidence": "", "own": "g"},
    ]
    found = import_answers(filled, config(), write(tmp_path / "in.csv", bad), NOW)
    assert (found.stored, found.refused) == (1, 6)
    assert found.refused_path
    refused = read(found.refused_path)
    words = ["not 1 or 0", "annotator is missing", "0 to 1", "said something else", "no such",
             "task_id is missing"]  # fmt: skip
    assert [row["own"] for row in refused] == ["a", "b", "c", "d", "e", "f"]
    assert all(word in row["why"] for word, row in zip(words, refused, strict=True))
    assert [row["line"] for row in refused] == ["2", "3", "4", "5", "6", "7"]
    mended = [row | {"annotator": "eve", "confidence": "", "label": "0"} for row in refused[:4]]
    again = import_answers(filled, config(), write(found.refused_path, mended), NOW)
    assert (again.stored, again.refused) == (4, 0)


def test_a_file_without_faults_takes_the_old_list_of_faults_away(
    filled: ReviewStore, tmp_path: Path
) -> None:
    path = write(tmp_path / "in.csv", [{"task_id": "t1", "label": "?", "annotator": "ann"}])
    first = import_answers(filled, config(), path, NOW)
    assert first.refused_path
    write(path, [{"task_id": "t1", "label": "1", "annotator": "ann"}])
    assert import_answers(filled, config(), path, NOW).refused_path is None
    assert not first.refused_path.exists()


def test_json_lines_do_as_well(filled: ReviewStore, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    assert export_tasks(filled, config(hide_opinion=False), path, NOW) == 4
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert lines[0]["row"] == {"size": -1.5, "note": "=1+1", "größe": "ü"}
    assert lines[0]["model"]["score"] == 0.52
    lines[0] |= {"label": 1, "annotator": "ann"}
    lines[1] |= {"label": False, "annotator": "ann"}
    lines[2] |= {"skip": True, "annotator": "ann"}
    text = "".join(json.dumps(line) + "\n" for line in lines) + "{broken\n[1]\n"
    path.write_text(text, "utf-8")
    found = import_answers(filled, config(hide_opinion=False), path, NOW)
    assert (found.stored, found.blank, found.refused) == (3, 1, 2)
    assert found.refused_path
    assert [row["content"] for row in read(found.refused_path)] == ["{broken", "[1]"]
    assert all(kept.answer.saw_opinion for kept in filled.answers())


def test_nothing_tells_which_answer_is_known(filled: ReviewStore, tmp_path: Path) -> None:
    late = NOW + dt.timedelta(days=30)
    filled.put([task(9, strategy="golden", known="1", probability=1.0, until=late)])
    export_tasks(filled, config(), tmp_path / "out.csv", NOW)
    first, *_, last = read(tmp_path / "out.csv")
    told = {"task_id", "prediction_id"}
    assert last["task_id"] == "t9"
    assert {k: v for k, v in last.items() if k not in told and not k.startswith("row.")} == {
        k: v for k, v in first.items() if k not in told and not k.startswith("row.")
    }


def test_the_words_of_the_page_are_read(filled: ReviewStore, tmp_path: Path) -> None:
    rows = [{"task_id": "t1", "label": "in time", "annotator": "ann"}]
    rows.append({"task_id": "t2", "label": "unsure", "annotator": "ann"})
    asked = config(words={"1": "late", "0": "in time"})
    found = import_answers(filled, asked, write(tmp_path / "in.csv", rows), NOW)
    assert (found.stored, found.refused) == (1, 1)
    assert [kept.answer.value for kept in filled.answers()] == ["0"]


def test_semicolons_of_a_spreadsheet_are_read(filled: ReviewStore, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("\ufefftask_id;label;annotator\r\nt1;1;ann\r\n;;\r\nt2;1;ann;x\r\n", "utf-8")
    found = import_answers(filled, config(), path, NOW)
    assert (found.stored, found.refused) == (1, 1)


def test_negative_numbers_stay_numbers_when_refused(filled: ReviewStore, tmp_path: Path) -> None:
    path = write(tmp_path / "in.csv", [{"task_id": "t1", "label": "-1.5", "annotator": ""}])
    found = import_answers(filled, config("regression", mix={"random": 1}), path, NOW)
    assert found.refused_path
    assert read(found.refused_path)[0]["label"] == "-1.5"


def test_what_is_in_a_file_is_asked_nowhere_else(filled: ReviewStore, tmp_path: Path) -> None:
    export_tasks(filled, config(), tmp_path / "out.csv", NOW, limit=3)
    leased = filled.next("bob", NOW, LEASE)
    assert leased
    assert leased.task.task_id == "t3"
    assert export_tasks(filled, config(), tmp_path / "more.csv", NOW) == 0
    assert not (tmp_path / "more.csv").exists()
    filled.answer(answer("t0", "ann", route="file"), NOW)
    assert recall_tasks(filled) == 2
    assert {one.task_id for one in filled.pending(NOW)} == {"t1", "t2"}


def test_an_export_that_was_killed_loses_no_question(filled: ReviewStore, tmp_path: Path) -> None:
    filled.reserve("file", ["t0", "t1"], NOW)
    assert export_tasks(filled, config(), tmp_path / "out.csv", NOW, limit=1) == 3
    assert set(filled.placed("file").values()) == {"out.csv"}


def test_a_file_that_is_there_is_never_overwritten(filled: ReviewStore, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("answers", "utf-8")
    with pytest.raises(ReviewError, match="already"):
        export_tasks(filled, config(), path, NOW)
    assert path.read_text("utf-8") == "answers"
    assert filled.placed("file") == {}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("in.txt", b"", "ending"),
        ("none.csv", None, "cannot be read"),
        ("in.csv", b"task_id\n\xff\xfe", "UTF-8"),
        ("in.csv", b"task_id,task_id\n", "one name"),
        ("in.csv", b'task_id\n"open', "no CSV"),
    ],
)
def test_files_that_cannot_be_read_say_why(
    filled: ReviewStore, tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ReviewError, match=words):
        import_answers(filled, config(), tmp_path / name, NOW)
