"""What Dagster's daemon does, done step by step in this process: ask the sensors, run what they ask."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.storage.tags import RUN_KEY_TAG, SENSOR_NAME_TAG

from feedback_assets.assets.space import CAUSE_TAG, LoopSpace
from feedback_assets.clock import Clock
from feedback_assets.inprocess import first_problem, run_in_process
from feedback_assets.loop import SENSORS

QUIET_AFTER = 12


@dataclass(frozen=True)
class Finished:
    """One run that a sensor asked for."""

    sensor: str
    cause: str
    run_id: str
    success: bool
    assets: tuple[str, ...]
    problem: str = ""
    """The first error of a failed run, in its own words."""


@dataclass
class Ticker:
    """Evaluates a loop's real sensors and executes their runs in this process.

    Declarative automation has nothing to do here: the arrivals sensor asks for whole chains.
    """

    space: LoopSpace
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    clock: Clock
    cursors: dict[str, str | None] = field(default_factory=dict)
    done: set[tuple[str, str | None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._job = self.definitions.resolve_implicit_global_asset_job_def()
        self._repository = self.definitions.get_repository_def()
        # in the order of the dataflow: a new candidate is judged before older ones are looked at again
        self._sensors = [
            self._repository.get_sensor_def(f"{self.space.name}_{make.__name__}")
            for make in SENSORS
        ]

    def settle(self) -> Iterator[Finished]:
        """Tick until no sensor asks for anything more; yields each run as it ends.

        Raises:
            RuntimeError: The sensors keep asking.
        """
        for _ in range(QUIET_AFTER):
            busy = False
            for sensor in self._sensors:
                for finished in self._tick(sensor):
                    busy = True
                    yield finished
            if not busy:
                return
        raise RuntimeError(
            f"{self.space.name}: sensors still ask for runs after {QUIET_AFTER} rounds"
        )

    def _tick(self, sensor: dg.SensorDefinition) -> Iterator[Finished]:
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursors.get(sensor.name),
            repository_def=self._repository,
            resources={"clock": self.clock},
        )
        tick = sensor.evaluate_tick(context)
        if tick.cursor is not None:
            self.cursors[sensor.name] = tick.cursor
        for request in tick.run_requests or ():
            if (sensor.name, request.run_key) not in self.done:
                self.done.add((sensor.name, request.run_key))
                yield self._run(sensor.name, request)

    def _run(self, sensor: str, request: dg.RunRequest) -> Finished:
        assets = list(request.asset_selection or ())
        tags = {**request.tags, SENSOR_NAME_TAG: sensor, RUN_KEY_TAG: request.run_key or ""}
        result = run_in_process(self._job, self.instance, assets, tags)
        return Finished(
            sensor,
            request.tags.get(CAUSE_TAG, ""),
            result.run_id,
            result.success,
            tuple(key.path[-1] for key in assets),
            "" if result.success else first_problem(result),
        )
