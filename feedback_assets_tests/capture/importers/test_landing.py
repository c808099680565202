"""Each record lands once: pairs that come late, files that grow, and what is never paired."""

import datetime as dt
import gzip
import json
import os
import time
from pathlib import Path

import pytest

from feedback_assets.capture.importers.landing import STATE, landed_files, would_land
from feedback_assets.capture.importers.layout import Layout
from feedback_assets.capture.importers.reading import Place
from feedback_assets.capture.importers.store import Store
from feedback_assets.errors import SourceError

from .conftest import World, adds_up

DAY = 86_400_000_000


def half(name: str, kind: str, data: dict) -> str:
    event = {
        "id": name,
        "type": f"org.kubeflow.serving.inference.{kind}",
        "time": "2013-02-01T08:00:00Z",
        "data": data,
    }
    return json.dumps(event) + "\n"


def request(name: str, distance: float = 100) -> str:
    return half(name, "request", {"instances": [[distance, 8, "UA"]]})


def response(name: str, score: float = 0.25) -> str:
    return half(name, "response", {"predictions": [score]})


def capture(name: str, distance: object = 100) -> str:
    sides = {
        "endpointInput": {"data": f"{distance},8,UA", "encoding": "CSV"},
        "endpointOutput": {"data": "0.25", "encoding": "CSV"},
    }
    meta = {"eventId": name, "inferenceTime": "2013-02-01T08:00:00Z"}
    return json.dumps({"captureData": sides, "eventMetadata": meta}) + "\n"


def test_a_response_pairs_with_a_request_of_an_earlier_import(world: World) -> None:
    world.write("a.jsonl", request("k-1"))
    first = world.land("kserve")
    assert (first.rows, first.unpaired, first.waiting) == (0, 1, 1)
    assert first.oldest_us is not None
    world.write("b.jsonl", response("k-1"))
    second = world.land("kserve")
    assert (second.records, second.landed, second.paired_late, second.rows) == (1, 1, 1, 1)
    assert (second.waiting, second.oldest_us) == (0, None)
    assert world.good()["k-1"]["score"] == 0.25


def test_a_response_may_come_before_its_request(world: World) -> None:
    world.write("a.jsonl", response("k-1", 0.75))
    world.land("kserve")
    world.write("b.jsonl", request("k-1", 7))
    assert world.land("kserve").paired_late == 1
    row = world.good()["k-1"]
    assert (row["distance"], row["score"]) == (7.0, 0.75)


def test_halves_that_come_again_are_repeated(world: World) -> None:
    world.write("a.jsonl", request("k-1") + request("k-1"))
    assert world.land("kserve").repeated == 1
    world.write("b.jsonl", request("k-1") + response("k-1"))
    world.land("kserve")
    world.write("c.jsonl", response("k-1") + request("k-1"))
    again = world.land("kserve")
    assert (again.repeated, again.rows, again.waiting) == (2, 0, 0)
    assert len(world.rows()) == 1


def test_a_half_that_waits_longer_than_the_label_horizon_is_refused(world: World) -> None:
    world.write("a.jsonl", request("k-1"))
    start = time.time_ns() // 1000
    world.land("kserve", now=lambda: start)
    days = world.config.label.max_delay_days
    early = world.land("kserve", now=lambda: start + int(days * DAY))
    assert (early.expired, early.waiting) == (0, 1)
    late = world.land("kserve", now=lambda: start + int(days * DAY) + 1)
    assert (late.expired, late.refused_rows, late.waiting) == (1, 1, 0)
    [row] = world.rows()
    assert row["#broken"] == "no response came for this request within 30 days"
    assert row["prediction_id"] == "k-1"
    assert row["received_time"] == row["event_time"] == dt.datetime(2013, 2, 1, 8, tzinfo=dt.UTC)
    assert '"k-1"' in row["#line"]


def test_a_half_too_large_to_wait_is_refused(world: World, monkeypatch) -> None:
    monkeypatch.setattr("feedback_assets.capture.importers.chunks.WAITING_BYTES", 50)
    world.write("a.jsonl", request("k-1"))
    landed = world.land("kserve")
    assert (landed.refused, landed.waiting) == (1, 0)
    assert adds_up(landed)


def test_unchanged_files_are_not_read_again(world: World) -> None:
    world.write("a.jsonl", capture("e-1"))
    assert world.land("sagemaker").files == 1
    again = world.land("sagemaker")
    assert (again.files, again.records) == (0, 0)
    assert len(landed_files(world.settings, "small", "predictions")) == 1


def test_a_growing_file_lands_its_new_records_only(world: World) -> None:
    path = world.write("a.jsonl", capture("e-1") + capture("e-2"))
    world.land("sagemaker")
    path.write_text(path.read_text() + capture("e-3"))
    landed = world.land("sagemaker")
    assert (landed.records, landed.rows, landed.repeated) == (1, 1, 0)
    assert sorted(world.good()) == ["e-1", "e-2", "e-3"]


def test_a_file_whose_beginning_changed_is_read_from_its_beginning(world: World) -> None:
    path = world.write("a.jsonl", capture("e-1") + capture("e-2"))
    world.land("sagemaker")
    path.write_text(capture("e-9") + capture("e-2") + capture("e-3"))
    landed = world.land("sagemaker")
    assert (landed.records, landed.rows, landed.repeated) == (3, 2, 1)
    assert sorted(world.good()) == ["e-1", "e-2", "e-3", "e-9"]


def test_a_line_that_is_still_written_waits_until_it_is_complete(world: World) -> None:
    whole = capture("e-1") + capture("e-2")
    path = world.write("a.jsonl", whole[:-20])
    landed = world.land("sagemaker")
    assert (landed.records, landed.unfinished, landed.refused) == (1, 1, 0)
    path.write_text(whole)
    landed = world.land("sagemaker")
    assert (landed.records, landed.rows, landed.unfinished) == (1, 1, 0)
    assert world.refused() == []


def test_a_line_that_nobody_completes_is_refused(world: World) -> None:
    path = world.write("a.jsonl", capture("e-1") + '{"captureData"')
    world.land("sagemaker")
    past = time.time() - 2 * 3600
    os.utime(path, (past, past))
    landed = world.land("sagemaker")
    assert (landed.refused, landed.unfinished) == (1, 0)
    assert "the line is not JSON" in world.refused()[0]


def test_a_csv_row_that_is_still_written_waits_until_it_is_complete(world: World) -> None:
    head = "prediction_id,event_time,carrier,distance\n"
    path = world.write("a.csv", head + "p-1,2013-02-01,UA,100\np-2,2013-02-01,UA,12")
    landed = world.land("generic")
    assert (landed.rows, landed.unfinished) == (1, 1)
    path.write_text(path.read_text() + "34\n")
    landed = world.land("generic")
    assert (landed.rows, landed.repeated, landed.unfinished) == (1, 1, 0)
    assert world.good()["p-2"]["distance"] == 1234.0
    assert world.land("generic").files == 0


def test_a_csv_without_a_last_newline_is_read_whole_when_it_is_old(world: World) -> None:
    path = world.write("a.csv", "prediction_id,event_time,carrier,distance\np-1,2013-02-01,UA,100")
    assert world.land("generic").rows == 0
    past = time.time() - 2 * 3600
    os.utime(path, (past, past))
    assert world.land("generic").rows == 1


def test_rows_of_one_request_are_numbered_across_imports(world: World) -> None:
    def line(distance: int) -> str:
        row = {"distance": distance, "hour": 8, "carrier": "UA", "score": 0.5}
        return json.dumps({**row, "request_id": "9", "timestamp": "2013-02-01T08:00:00"}) + "\n"

    path = world.write("data.1.log", line(1) + line(2))
    world.land("bentoml")
    path.write_text(line(1) + line(2) + line(3))
    world.land("bentoml")
    found = {name: row["distance"] for name, row in world.good().items()}
    assert found == {"9": 1.0, "9:1": 2.0, "9:2": 3.0}


def test_the_order_of_files_does_not_matter(tmp_path: Path) -> None:
    parts = [request(f"k-{i}", i) for i in range(6)] + [response(f"k-{i}", i / 8) for i in range(6)]
    tables = []
    for turn, order in enumerate((parts, parts[::-1], parts[::2] + parts[1::2])):
        world = World(tmp_path / str(turn))
        for i, text in enumerate(order):
            world.write(f"{i:02}.jsonl", text)
        if turn == 1:
            for file in world.files():
                world.land("kserve", files=[file])
        else:
            world.land("kserve")
        tables.append(sorted(world.rows(), key=lambda row: row["prediction_id"]))
    assert tables[0] == tables[1] == tables[2]
    assert len(tables[0]) == 6


def test_a_compressed_file_is_read(world: World) -> None:
    world.write("a.jsonl.gz", gzip.compress((capture("e-1") + capture("e-2")).encode()))
    assert world.land("sagemaker").rows == 2


def test_a_damaged_compressed_file_lands_what_it_has(world: World) -> None:
    data = gzip.compress("".join(capture(f"e-{i}") for i in range(2_000)).encode())
    world.write("a.jsonl.gz", data[: len(data) // 2])
    landed = world.land("sagemaker")
    assert landed.refused == 1
    assert adds_up(landed)
    assert "the file cannot be read" in world.refused()[0]


@pytest.mark.parametrize("fmt", ["sagemaker", "generic"])
def test_a_file_that_cannot_be_opened_now_is_read_later(
    world: World, monkeypatch, fmt: str
) -> None:
    good = {"prediction_id": "p", "event_time": "2013-02-01", "carrier": "UA"}
    path = world.write("a.jsonl", capture("e") if fmt == "sagemaker" else json.dumps(good) + "\n")
    files = world.files()
    path.rename(world.home / "away")
    landed = world.land(fmt, files=files)
    assert (landed.rows, landed.refused, landed.unfinished) == (0, 1, 1)
    again = world.land(fmt, files=files)
    assert (again.refused, again.repeated) == (0, 1)
    (world.home / "away").rename(path)
    assert world.land(fmt, files=files).rows == 1
    assert world.land(fmt, files=files).files == 0


def test_an_error_of_the_disk_while_reading_is_tried_again(world: World, monkeypatch) -> None:
    from feedback_assets.capture.importers import generic_files

    def broken(*args: object) -> None:
        raise SourceError("the file cannot be read: it failed") from OSError(5, "it failed")

    row = {"prediction_id": "p", "event_time": "2013-02-01", "carrier": "UA"}
    world.write("a.jsonl", json.dumps(row) + "\n")
    with monkeypatch.context() as patch:
        patch.setattr(generic_files, "open_file", broken)
        assert world.land("generic").unfinished == 1
    assert world.land("generic").rows == 1


def test_an_error_of_the_commit_is_not_taken_for_the_files(world: World, monkeypatch) -> None:
    from feedback_assets.capture.importers import chunks

    good = {"event_time": "2013-02-01", "carrier": "UA"}
    text = "".join(json.dumps({"prediction_id": f"p-{i}", **good}) + "\n" for i in range(50_000))
    world.write("a.jsonl", text)
    monkeypatch.setattr(chunks, "ROWS", 20_000)
    write, calls = chunks.write_hidden, []

    def once_full(*args: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        write(*args)

    monkeypatch.setattr(chunks, "write_hidden", once_full)
    with pytest.raises(SourceError, match="No space left"):
        world.land("generic")
    landed = world.land("generic")
    assert landed.repeated > 0
    assert world.table().num_rows == 50_000
    assert world.refused() == []


def test_a_long_line_is_refused_and_the_next_one_read(world: World, monkeypatch) -> None:
    monkeypatch.setattr("feedback_assets.capture.importers.reading.MAX_LINE", 3 << 20)
    world.write("a.jsonl", '{"x": "' + "y" * (5 << 20) + '"}\n' + capture("e-1"))
    landed = world.land("sagemaker")
    assert (landed.records, landed.rows, landed.refused) == (2, 1, 1)
    assert "longer than 3 MB" in world.refused()[0]
    assert len(world.rows()[0]["#line"]) == 500


def test_one_json_text_over_many_lines_is_read(world: World) -> None:
    world.write("a.json", json.dumps([json.loads(capture("e-1"))], indent=2))
    assert world.land("sagemaker").rows == 1


def test_a_broken_document_is_read_line_by_line(world: World) -> None:
    world.write("a.jsonl", "{\n" + capture("e-1"))
    landed = world.land("sagemaker")
    assert (landed.rows, landed.refused) == (1, 1)


def test_what_was_refused_for_a_wrong_map_lands_with_the_right_one(world: World) -> None:
    def line(i: int) -> str:
        row = {"miles": i, "hour": 8, "carrier": "UA" if i else ["UA"], "score": 0.5}
        if i == 1:
            row["miles"] = "far"
        return json.dumps({**row, "request_id": f"r-{i}", "timestamp": "2013-02-01"}) + "\n"

    world.write("data.log", "".join(line(i) for i in range(4)))
    wrong = world.land("bentoml", column_map={"miles": "hour", "hour": "distance"})
    assert (wrong.rows, wrong.refused) == (2, 2)
    right = world.land("bentoml", column_map={"miles": "distance", "score": "prediction"})
    assert (right.files, right.repeated, right.refused) == (1, 2, 2)
    again = world.land("bentoml", column_map={"miles": "distance", "carrier": "origin"})
    assert (again.repeated, again.refused) == (2, 2)
    same = world.land("bentoml", column_map={"miles": "distance", "carrier": "origin"})
    assert same.files == 0


@pytest.mark.parametrize("late", [False, True])
def test_a_pair_that_was_refused_lands_with_the_right_map(world: World, late: bool) -> None:
    ask = half("k-1", "request", {"instances": [{"distance": 1, "kerrier": "UA"}]})
    answer = half("k-1", "response", {"predictions": [{"p": 0.9}]})
    world.write("a.jsonl", ask)
    if late:
        world.land("kserve")
    world.write("b.jsonl", answer)
    assert world.land("kserve").rows == 0
    landed = world.land("kserve", column_map={"p": "score"})
    assert (landed.records, landed.rows, landed.unpaired, landed.repeated) == (2, 1, 0, 0)
    assert world.good()["k-1"]["score"] == 0.9
    assert world.land("kserve", column_map={"p": "prediction"}).repeated == 2


def test_a_dry_run_keeps_nothing(world: World) -> None:
    world.write("a.jsonl", request("k-1"))
    world.land("kserve")
    world.write("b.jsonl", response("k-1") + request("k-2"))
    args = (world.config, world.settings, "predictions", world.files(), "kserve")
    counts = would_land(*args)
    assert (counts.rows, counts.paired_late, counts.unpaired) == (1, 1, 1)
    assert world.rows() == []
    assert not list(world.settings.scratch.iterdir())
    assert world.land("kserve").rows == 1


def test_large_imports_land_in_several_files(world: World, monkeypatch) -> None:
    monkeypatch.setattr("feedback_assets.capture.importers.chunks.RECORDS", 10)
    monkeypatch.setattr("feedback_assets.capture.importers.reading.BLOCK", 2_000)
    world.write("a.jsonl", "".join(capture(f"e-{i}") for i in range(100)))
    assert world.land("sagemaker").rows == 100
    assert len(landed_files(world.settings, "small", "predictions")) > 3
    assert len(world.good()) == 100


def test_a_record_without_a_time_has_its_files_time(world: World) -> None:
    text = json.loads(capture("e-1"))
    del text["eventMetadata"]["inferenceTime"]
    path = world.write("a.jsonl", json.dumps(text))
    os.utime(path, (1_359_700_000, 1_359_700_000))
    world.land("sagemaker")
    moment = dt.datetime.fromtimestamp(1_359_700_000, dt.UTC)
    row = world.good()["e-1"]
    assert (row["event_time"], row["received_time"]) == (moment, moment)


def test_an_unreadable_time_refuses_the_record_and_dates_it_by_its_file(world: World) -> None:
    text = json.loads(capture("e-1"))
    text["eventMetadata"]["inferenceTime"] = "yesterday"
    path = world.write("a.jsonl", json.dumps(text))
    os.utime(path, (1_359_700_000, 1_359_700_000))
    world.land("sagemaker")
    [row] = world.rows()
    assert row["#broken"].startswith("eventMetadata.inferenceTime cannot be read as a time")
    assert row["received_time"] == row["event_time"]
    assert row["received_time"] == dt.datetime.fromtimestamp(1_359_700_000, dt.UTC)


def test_a_fault_of_the_reading_code_refuses_the_record(world: World, monkeypatch) -> None:
    from feedback_assets.capture.importers import sagemaker

    def odd(*args: object) -> None:
        raise TypeError("a bug")

    monkeypatch.setattr(sagemaker, "rows_of", odd)
    world.write("a.jsonl", capture("e-1"))
    assert world.land("sagemaker").refused == 1
    assert world.refused()[0].startswith("the record's shape is unknown; expected:")


def test_errors_name_what_to_do(world: World) -> None:
    with pytest.raises(SourceError, match="there is no format nope; there are: generic, sagemaker"):
        world.land("nope")
    with pytest.raises(SourceError, match=r"kserve carries no feedback; these do: generic"):
        world.land("kserve", "feedback")
    with pytest.raises(SourceError, match="the column map names miles"):
        world.land("generic", column_map={"distance": "miles"})
    with pytest.raises(SourceError, match="two columns for distance"):
        world.land("generic", column_map={"a": "distance", "b": "distance"})


def test_a_damaged_state_says_what_to_do(world: World) -> None:
    world.write("a.jsonl", capture("e-1"))
    world.land("sagemaker")
    for name in (STATE, f"{STATE}-wal", f"{STATE}-shm"):
        (world.folder / "predictions" / name).unlink(missing_ok=True)
    (world.folder / "predictions" / STATE).write_bytes(b"nonsense" * 1000)
    with pytest.raises(SourceError, match="move it away"):
        world.land("sagemaker")


def test_the_state_waits_for_another_import(world: World, monkeypatch) -> None:
    import fcntl

    monkeypatch.setattr("feedback_assets.capture.importers.landing.PATIENCE", 0.2)
    folder = world.folder / "predictions"
    folder.mkdir(parents=True)
    with (folder / ".lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(SourceError, match="another import"):
            world.land("kserve")


def test_places_of_files_are_kept(world: World) -> None:
    path = world.write("a.jsonl", capture("e-1"))
    world.land("sagemaker")
    store = Store(world.folder / "predictions" / STATE)
    path.write_text(path.read_text() + capture("e-2"))
    layout = Layout(world.config, "predictions", None).signature
    place = store.place(world.files()[0], layout)
    assert store.place(world.files()[0], "other") == Place()
    store.close()
    assert place is not None
    assert place.offset == len(capture("e-1"))
