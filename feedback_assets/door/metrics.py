"""What the service counts, in the format of Prometheus; for the event loop's thread only."""

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from feedback_assets.capture.inbox.records import Inbox
from feedback_assets.door.families import Families
from feedback_assets.door.recorders import LoopMeter, RouteMeter
from feedback_assets.door.tallies import by_name
from feedback_assets.serving.engine import Engine

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ENGINE_COUNTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "shadow_scored": ("shadow_scored", ()),
    "shadow_dropped": ("shadow_dropped", ()),
    "shadow_failed": ("shadow_failed", ()),
    "swaps": ("model_swaps", ()),
    "swap_failures": ("model_swap_failures", ()),
    "fallback_previous": ("fallback_answers", ("previous",)),
    "fallback_cache": ("fallback_answers", ("cache",)),
    "fallback_default": ("fallback_answers", ("default",)),
}
"""The engine's own word for what it counts: the counter, and its labels after `model`."""


class Meters:
    """Every counter, histogram and gauge of one service.

    Args:
        loops: The loops it answers for; their counters exist from the start, at zero.
    """

    def __init__(self, loops: Iterable[str]) -> None:
        self._families = Families()
        self._loops = {loop: LoopMeter(self._families, loop) for loop in loops}
        self._engines: dict[str, tuple[Engine, dict[str, int]]] = {}
        self._inbox: tuple[Inbox, Path] | None = None
        self._process = ProcessCollector(registry=None)

    def route(self, route: str, method: str) -> RouteMeter:
        """Bind a route's template, never a path as it was sent: those have no end."""
        return RouteMeter(self._families, route, method)

    def loop(self, name: str) -> LoopMeter:
        """The meter of a loop named at the start."""
        return self._loops[name]

    def refused(self, reason: str) -> None:
        """Record a request turned away, by `Refused.reason` or another short word."""
        self._families.refusals.of(reason).value += 1

    def watch(self, loop: str, engine: Engine) -> None:
        """Read an engine's state whenever metrics are asked for or saved."""
        self._engines[loop] = (engine, {})
        self._gather()

    def watch_inbox(self, inbox: Inbox, folder: Path) -> None:
        """Read an inbox's state, and the free space of its folder, whenever metrics are asked for."""
        self._inbox = (inbox, folder)

    def saved(self) -> dict[str, float]:
        """Every counter and bucket as it is now, to be saved and restored."""
        self._gather()
        return {key: value for one in self._families.all() for key, value in one.saved().items()}

    def restore(self, counters: Mapping[str, float]) -> None:
        """Go on from saved values; what is not known any more is left out."""
        saved = by_name(counters)
        for one in self._families.all():
            for labels, parts in saved.get(one.name, {}).items():
                one.restore(labels, parts)

    def render(self, saved: Mapping[str, float] | None = None) -> bytes:
        """What Prometheus reads.

        Args:
            saved: Counters as they were saved; as they are now if absent. Gauges are always live.
        """
        values = by_name(self.saved() if saved is None else saved)
        counted = (one.family(values.get(one.name, {})) for one in self._families.all())
        return generate_latest(_Scrape([*counted, *self._gauges(), *self._process.collect()]))

    def _gather(self) -> None:
        """Add what the engines counted since they were asked last."""
        for loop, (engine, before) in self._engines.items():
            counts = engine.state().counts
            for word, (name, labels) in ENGINE_COUNTS.items():
                count = counts.get(word, 0)
                self._families.of_engines[name].of(loop, *labels).add(count - before.get(word, 0))
                before[word] = count

    def _gauges(self) -> Iterator[Metric]:
        versions = GaugeMetricFamily(
            "model_version", "The version that a stage holds.", labels=("model", "stage")
        )
        for loop, (engine, _before) in self._engines.items():
            state = engine.state()
            stages = {"prod": state.champion, "previous": state.previous}
            if state.challenger is not None:
                stages[state.challenger.stage or "shadow"] = state.challenger
            for stage, held in stages.items():
                if held is not None:
                    versions.add_metric((loop, stage), held.version)
        yield versions
        if self._inbox:
            inbox, folder = self._inbox
            yield _gauge("inbox_rows_waiting", "Rows that wait to be written.", inbox.waiting())
            yield _gauge("inbox_stopped", "1 when it takes nothing more.", bool(inbox.stopped()))
            with contextlib.suppress(OSError):  # a folder that is gone has no free space to tell
                free = shutil.disk_usage(folder).free
                yield _gauge("inbox_free_bytes", "Free space where the inbox lies.", free)


class _Scrape(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._found = families

    def collect(self) -> list[Metric]:
        return self._found


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, words, value=float(value))
