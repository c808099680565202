"""Killed anywhere, an import loses no row and lands none twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from feedback_assets.capture.importers.landing import STATE, landed_files
from feedback_assets.capture.importers.store import Store

from .conftest import World, adds_up
from .test_landing import capture, request, response

PAIRS, CAPTURES = 60, 60
CHILD = """
import os, signal, sys
from pathlib import Path
from feedback_assets.capture.importers import chunks, landing, reading, store, writing
from feedback_assets_tests.capture.importers.conftest import World

home, point, left = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
chunks.RECORDS, reading.BLOCK = 20, 3000
calls = 0

def dying(function, after):
    def wrapped(*args, **more):
        global calls
        calls += 1
        if calls == left and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **more)
        if calls == left and after:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return wrapped

owner, name = {
    "write": (chunks, "write_hidden"), "show": (chunks, "show"),
    "pending": (store.Store, "keep_pending"), "place": (store.Store, "keep_place"),
    "dropped": (store.Store, "drop_pending"), "seen": (store.Store, "keep_seen"),
    "rename": (Path, "replace"), "recover": (landing, "recover"), "none": (chunks, "show"),
}[point.rstrip("+")]
setattr(owner, name, dying(getattr(owner, name), point.endswith("+")))
world = World(home)
print("begun", flush=True)
world.land("kserve", files=[f for f in world.files() if f.name.startswith("k")])
world.land("sagemaker", files=[f for f in world.files() if f.name.startswith("s")])
"""
POINTS = [
    "write",
    "write+",
    "pending+",
    "place+",
    "show",
    "rename",
    "rename+",
    "dropped+",
    "recover+",
]


@pytest.fixture
def source(world: World) -> World:
    """Pairs whose halves lie in different files, and captures, some of them twice."""
    world.write("k1.jsonl", "".join(request(f"k-{i}", i) for i in range(PAIRS)))
    world.write("k2.jsonl", "".join(response(f"k-{i}", i / 100) for i in range(PAIRS)))
    world.write("s1.jsonl", "".join(capture(f"e-{i}", i) for i in range(CAPTURES)))
    world.write("s2.jsonl", "".join(capture(f"e-{i}", i) for i in range(0, CAPTURES, 2)))
    return world


def child(world: World, point: str, left: int) -> subprocess.Popen:
    args = [sys.executable, "-c", CHILD, str(world.home), point, str(left)]
    return subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def check(world: World) -> None:
    """Finish the import and compare with what one import without a crash lands."""
    files = world.files()
    for name, fmt in (("k", "kserve"), ("s", "sagemaker")):
        assert adds_up(world.land(fmt, files=[f for f in files if f.name.startswith(name)]))
    found = [(r["prediction_id"], r["distance"], r["score"], r["#broken"]) for r in world.rows()]
    wanted = [(f"k-{i}", float(i), i / 100, None) for i in range(PAIRS)]
    wanted += [(f"e-{i}", float(i), 0.25, None) for i in range(CAPTURES)]
    assert sorted(found) == sorted(wanted)
    folder = world.folder / "predictions"
    assert not list(folder.glob(".*.tmp"))
    store = Store(folder / STATE)
    try:
        assert store.pending() == []
        assert store.ages() == (0, None)
    finally:
        store.close()
    names = [file.name for file in landed_files(world.settings, "small", "predictions")]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_step(source: World, point: str) -> None:
    for left in (1, 3):
        process = child(source, point, left)
        _, words = process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL or left > 1, words.decode()
    check(source)


@pytest.mark.chaos
def test_killed_at_any_time(source: World) -> None:
    import random

    draw = random.Random(4)
    for round_ in range(60):
        world = World(source.home / "rounds" / str(round_))
        for path in sorted(source.source.iterdir()):
            world.write(path.name, path.read_bytes())
        for _ in range(3):
            process = child(world, "none", 0)
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(draw.uniform(0, 0.3))
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        check(world)


def test_an_error_of_the_disk_loses_nothing(source: World, monkeypatch) -> None:
    from feedback_assets.capture.importers import chunks
    from feedback_assets.errors import SourceError

    whole = chunks.write_hidden

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(chunks, "write_hidden", full)
    with pytest.raises(SourceError, match="cannot be written: No space left"):
        source.land("sagemaker", files=[f for f in source.files() if f.name.startswith("s")])
    assert source.rows() == []
    monkeypatch.setattr(chunks, "write_hidden", whole)
    check(source)


def test_a_stray_file_is_removed_and_a_committed_one_gets_its_name(world: World) -> None:
    folder = world.folder / "predictions"
    folder.mkdir(parents=True)
    (folder / ".00000009-ff.parquet.tmp").write_bytes(b"half")
    world.write("a.jsonl", json.dumps({"x": 1}) + "\n")
    world.land("sagemaker")
    [file] = landed_files(world.settings, "small", "predictions")
    store = Store(folder / STATE)
    store.keep_pending(file.name)
    store.close()
    Path(file.path).rename(folder / f".{file.name}.tmp")
    assert world.rows() == []
    world.land("sagemaker")
    assert len(world.rows()) == 1
    assert not list(folder.glob(".*.tmp"))
