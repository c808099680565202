"""Whatever bytes a file holds: nothing raises, and each record becomes exactly one thing."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback_assets.capture.importers import building, envelope_files
from feedback_assets.capture.importers.formats import FORMATS

from .conftest import FIXTURES, World, adds_up

LINES = {
    name: [
        line
        for path in sorted((FIXTURES / name).iterdir())
        if path.suffix in (".jsonl", ".log")
        for line in path.read_bytes().splitlines()
    ]
    for name in FORMATS
}
CASES = [(name, kind) for name, form in FORMATS.items() for kind in form.kinds]
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["", "1e999", "NaN", "2013-02-01", "\ud800", "a,b", "e30=", "733,8,UA"])
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
ENDINGS = [".jsonl", ".csv", ".json", ".log", ".parquet", ".jsonl.gz"]


def paths_of(value: Any, at: tuple = ()) -> list[tuple]:
    """Every place in a JSON value."""
    found = [at]
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, item in items:
        found += paths_of(item, (*at, key))
    return found


def changed(record: Any, path: tuple, new: Any) -> Any:
    """The value with another one in one place."""
    if not path:
        return new
    copy = dict(record) if isinstance(record, dict) else list(record)
    copy[path[0]] = changed(record[path[0]], path[1:], new)
    return copy


@st.composite
def lines(draw: st.DrawFn, name: str) -> bytes:
    """A line of a log: as it should be, with something else in one place, or anything."""
    line = draw(st.sampled_from(LINES[name]))
    how = draw(st.integers(0, 5))
    if how < 2:
        return line
    if how < 4:
        record = json.loads(line)
        path = draw(st.sampled_from(paths_of(record)))
        return json.dumps(changed(record, path, draw(values))).encode()
    if how == 4:
        return json.dumps(draw(values)).encode()
    return draw(st.binary(max_size=60)) or line[: len(line) // 2]


@st.composite
def logs(draw: st.DrawFn, name: str) -> dict[str, bytes]:
    """Some files."""
    count = draw(st.integers(1, 3))
    found = {}
    for i in range(count):
        data = b"\n".join(draw(st.lists(lines(name), max_size=6)))
        head = draw(st.sampled_from([b"", b"", b"", b"PAR1", b"\xef\xbb\xbf", b"[", b"\x1f\x8b"]))
        tail = draw(st.sampled_from([b"\n", b"", b"\n{"]))
        found[f"{i}{draw(st.sampled_from(ENDINGS))}"] = head + data + tail
    return found


def rows_of(world: World, kind: str) -> list[str]:
    """The landed rows, as texts whose order does not matter."""
    return sorted(repr(sorted(row.items(), key=str)) for row in world.rows(kind))


@pytest.fixture(autouse=True, scope="module")
def no_net():
    """Whatever is caught in the end as odd is a fault of the reading code, which is to be seen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(envelope_files, "ODD", ())
        patch.setattr(building, "ODD", ())
        yield


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Arrow's own
@pytest.mark.parametrize(("name", "kind"), CASES)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_bytes(name: str, kind: str, data: st.DataObject) -> None:
    files = data.draw(logs(name))
    label = data.draw(st.sampled_from(["binary", "multiclass", "regression"]))
    classes = {"classes": ["0", "1", "UA"]} if label == "multiclass" else {}
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), label={"kind": label, **classes})
        for file, text in files.items():
            world.write(file, text)
        landed = world.land(name, kind)
        assert adds_up(landed), landed
        rows = world.rows(kind)
        assert sum(row["#broken"] is None for row in rows) == landed.rows
        assert sum(row["#broken"] is not None for row in rows) == landed.refused_rows
        assert all(row["received_time"] is not None for row in rows)
        assert all(row["event_time"] is not None for row in rows)
        assert all(len(row["#line"] or "") <= 500 for row in rows)
        assert landed.waiting == landed.unpaired
        before = rows_of(world, kind)

        again = world.land(name, kind)  # only a file whose last line is unfinished is looked at
        assert again.records == again.repeated
        for file in files:
            (world.source / file).touch()
        third = world.land(name, kind)
        assert adds_up(third)
        assert third.records == third.repeated
        assert rows_of(world, kind) == before
