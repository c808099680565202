"""A fault at each boundary of promotion and rollback: one champion, and all agree after a rerun."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from feedback_assets_tests.chaos.forks import Forks
from feedback_assets_tests.chaos.forms import LONG
from feedback_assets_tests.chaos.small_disk import may_mount, small_disk

ROOT = str(Path(__file__).parents[2])
MODULE = "feedback_assets_tests.chaos.steps"
KILLED = -9
DISK_MB = 64
STAGED: dict[str, Any] = {
    "rollout": {
        "stages": ["shadow", "canary"],
        "shadow": {"min_labels": 20},
        "watch": {"days": 30, "min_labels": 20, "unit": "row"},
    },
    "decide": {"unit": "row"},
}
_NUMBERS = re.compile(r"[0-9a-f]{16,}|\d+|(?<=uploading\.).*")
Said = dict[str, Any]


@dataclass(frozen=True)
class Scenario:
    """A home, and a step that is taken in it.

    Attributes:
        beginning: What makes the home.
        step: What is done in it.
        now: When.
        does: The kinds of the decisions that the step records.
        changes: Of the loop's file.
    """

    beginning: str
    step: str
    now: str
    does: tuple[str, ...]
    changes: dict[str, Any] = field(default_factory=dict)


SCENARIOS = {
    "staged": Scenario(
        "second_candidate", "promote", "2024-02-01",
        ("gate", "stage", "stage", "promote"), STAGED,
    ),
    "watch": Scenario("second_model_turned_bad", "promote", "2024-02-15", ("rollback",), STAGED),
    "staged by sensors": Scenario(
        "second_candidate", "tick", "2024-02-01",
        ("gate", "stage", "stage", "promote"), STAGED,
    ),
    "watch by sensors": Scenario(
        "second_model_turned_bad", "tick", "2024-02-15", ("rollback",), STAGED
    ),
    "first": Scenario("first_candidate", "promote", "2024-01-18", ("gate", "promote")),
    "direct": Scenario("second_candidate", "promote", "2024-02-01", ("gate", "promote")),
    "by hand": Scenario("second_model", "take_back", "2024-02-02", ("rollback",)),
    "drill": Scenario("second_model", "practise", "2024-02-02", ("drill",)),
}  # fmt: skip


class Homes:
    """Copies of a home as it is before a step, and processes that take it.

    Args:
        forks: Who begins processes.
        folder: Where the home is.
        notes: Where processes tell; not on a disk that gets full.
        scenario: The home and the step.
    """

    def __init__(self, forks: Forks, folder: Path, notes: Path, scenario: Scenario) -> None:
        self.scenario = scenario
        self._forks = forks
        self._root, self._template = folder / "root", folder / "template"
        self._told, self._errors = notes / "told.json", notes / "errors"

    def make(self) -> None:
        """Make the home, and see what the step does in it when nothing goes wrong."""
        s = self.scenario
        self._do("begin", str(self._root), s.changes, s.beginning)
        self._do("copy", str(self._root), str(self._template))
        self.before = self.look()
        self.after = self.take()
        self.boundaries: list[str] = self.after.pop("boundaries")
        made = self.after["decisions"][len(self.before["decisions"]) :]
        assert tuple(kind for kind, *_ in made) == s.does

    def make_like(self, other: "Homes") -> None:
        """Make the home as a copy of another."""
        self._do("copy", str(other._template), str(self._template))
        self.before, self.after, self.boundaries = other.before, other.after, other.boundaries

    def anew(self) -> None:
        """Bring the home back to what it was before the step."""
        self._do("copy", str(self._template), str(self._root))

    def fail(self, fault: str, at: int = 0, mutant: str = "") -> int:
        """Take the step with a fault at a boundary; how the process ended."""
        return self._run("step", *self._given(fault, at, mutant))

    def take_at_once(self, times: int) -> None:
        """Take the step in several processes at once."""
        begun = [self._begin("step", *self._given("none", 0, "")) for _ in range(times)]
        assert [self._forks.wait(pid) for pid in begun] == [0] * times, self._complaint()

    def take(self, mutant: str = "") -> Said:
        """Take the step without a fault; what the home says then."""
        assert self.fail("none", 0, mutant) == 0, self._complaint()
        return dict(json.loads(self._told.read_text("utf-8")))

    def look(self) -> Said:
        """What the home says, with room on its disk."""
        s = self.scenario
        self._do("look", str(self._root), s.changes, s.now, str(self._told))
        return dict(json.loads(self._told.read_text("utf-8")))

    def _given(self, fault: str, at: int, mutant: str) -> tuple[Any, ...]:
        s = self.scenario
        return (str(self._root), s.changes, s.now, s.step, fault, at, mutant, str(self._told))

    def _do(self, function: str, *args: Any) -> None:
        assert self._run(function, *args) == 0, self._complaint()

    def _complaint(self) -> str:
        return self._errors.read_text("utf-8")[-4000:]

    def _run(self, function: str, *args: Any) -> int:
        return self._forks.wait(self._begin(function, *args))

    def _begin(self, function: str, *args: Any) -> int:
        return self._forks.begin(f"{MODULE}:{function}", self._errors, *args)


def check_failed(homes: Homes, said: Said) -> str:
    """Old or new in each place, nothing twice, nothing broken; how far it came."""
    old, new = homes.before, homes.after
    assert said["problems"] == []
    assert said["ids"] == len(said["decisions"])
    assert said["decisions"] == new["decisions"][: len(said["decisions"])]
    assert said["decisions"][: len(old["decisions"])] == old["decisions"]
    served = {
        "ledger": said["champion"],
        "service": said["serves"],
        "MLflow": said["aliases"].get("champion"),
    }
    for place, version in served.items():
        assert version in (old["champion"], new["champion"], drilled(homes, place)), place
    behind = [place for place, version in served.items() if version != said["champion"]]
    told = len(said["decisions"]) - len(old["decisions"])
    return f"{told} recorded, behind: {', '.join(behind) or 'nobody'}"


def drilled(homes: Homes, place: str) -> int | None:
    """Who answers in the middle of a drill."""
    practises = homes.scenario.step == "practise" and place == "service"
    return homes.before["predecessor"] if practises else homes.before["champion"]


def check_healed(homes: Homes, said: Said) -> None:
    """All say what they say when nothing goes wrong; a drill may have been recorded before."""
    said.pop("boundaries", None)
    assert set(said["aliases"].values()) >= {said["champion"]}
    assert said["champion"] == said["serves"] == said["aliases"]["champion"]
    once = {**said, "decisions": without_drills(said), "ids": 0}
    assert once == {**homes.after, "decisions": without_drills(homes.after), "ids": 0}


def without_drills(said: Said) -> list[list[str | None]]:
    return [decision for decision in said["decisions"] if decision[0] != "drill"]


def spread(of: Sequence[str], most: int) -> list[int]:
    """Numbers of boundaries, at most so many: of neighbours of one kind the first and the last."""
    kinds = [_NUMBERS.sub("#", name) for name in of]
    apart = [
        i + 1
        for i, kind in enumerate(kinds)
        if i == 0 or i == len(of) - 1 or not kinds[i - 1] == kind == kinds[i + 1]
    ]
    count = min(most, len(apart))
    return [apart[int((i + 0.5) * len(apart) / count)] for i in range(count)]


def cases(*short: str) -> list[Any]:
    """Scenarios with the most boundaries to fail at: some in a short form, all in a long one."""
    return [
        *(pytest.param((name, 2), id=f"{name}-short") for name in short),
        *(pytest.param((name, 10_000), id=f"{name}-long", marks=LONG) for name in SCENARIOS),
    ]


@pytest.fixture(scope="module")
def homes_of(tmp_path_factory) -> Iterator[Callable[[str], Homes]]:
    """The homes of a scenario by its name, each made once."""
    made: dict[str, Homes] = {}
    with Forks(MODULE) as forks:

        def of(name: str) -> Homes:
            if name not in made:
                folder = tmp_path_factory.mktemp("homes")
                made[name] = Homes(forks, folder, folder, SCENARIOS[name])
                made[name].make()
            return made[name]

        yield of


@pytest.mark.parametrize("case", cases("staged"))
def test_a_kill_at_any_boundary_leaves_old_or_new_and_the_next_run_heals(homes_of, case, figures):
    name, most = case
    homes, reached = homes_of(name), []
    for at in spread(homes.boundaries, most):
        homes.anew()
        assert homes.fail("kill", at) == KILLED
        reached.append(check_failed(homes, homes.look()))
        check_healed(homes, homes.take())
    figures(f"{name}: killed", **{state: reached.count(state) for state in sorted({*reached})})


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount a tmpfs in a name space")
@pytest.mark.parametrize("case", cases("staged"))
def test_a_disk_that_is_full_at_any_boundary_leaves_old_or_new_and_heals(
    homes_of, tmp_path, case, figures
):
    name, most = case
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(tmp_path / "disk", DISK_MB))
        found = {"PYTHONPATH": ROOT}
        forks = stack.enter_context(Forks(MODULE, environment=found, inside=disk.inside))
        homes, reached = Homes(forks, disk.place, tmp_path, SCENARIOS[name]), []
        homes.make_like(homes_of(name))
        for at in spread(homes.boundaries, most):
            homes.anew()
            homes.fail("full", at)
            reached.append(check_failed(homes, homes.look()))
            check_healed(homes, homes.take())
    figures(f"{name}: disk full", **{state: reached.count(state) for state in sorted({*reached})})


@pytest.mark.parametrize(
    "name", ["staged", *(pytest.param(n, marks=LONG) for n in ("watch", "by hand"))]
)
def test_the_service_follows_without_mlflow_which_is_told_later(homes_of, name):
    homes = homes_of(name)
    homes.anew()
    homes.fail("no MLflow")
    said = homes.look()
    check_failed(homes, said)
    assert said["serves"] == said["champion"] == homes.after["champion"]
    assert said["aliases"]["champion"] == homes.before["champion"]
    check_healed(homes, homes.take())


@pytest.mark.parametrize("name", [pytest.param(n, marks=LONG) for n in ("staged", "by hand")])
def test_what_several_do_at_once_is_done_once(homes_of, name):
    homes = homes_of(name)
    homes.anew()
    homes.take_at_once(3)
    check_healed(homes, homes.look())


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.parametrize(
    ("mutant", "boundary"),
    [
        ("the manifest is left as it was", "rename serving/"),
        ("the table is left as it was", "rename tables/tiny/decisions/_staging"),
        ("the registry is left as it was", "commit mlflow/"),
    ],
)
def test_a_step_that_forgets_to_heal_is_seen(homes_of, mutant, boundary):
    homes = homes_of("staged")
    last = max(i for i, name in enumerate(homes.boundaries, start=1) if boundary in name)
    homes.anew()
    assert homes.fail("kill", last) == KILLED
    check_failed(homes, homes.look())
    with pytest.raises(AssertionError):
        check_healed(homes, homes.take(mutant))
