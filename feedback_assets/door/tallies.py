"""Counts and spreads that cost next to nothing to add to, for one thread.

The counters of prometheus_client take a lock each time and a search through the buckets; these are
added to on the event loop only, and become its metric families when somebody asks.
"""

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

Labels = tuple[str, ...]
SUM = "sum"
BEYOND = "+Inf"


class Count:
    """One counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def add(self, count: float = 1) -> None:
        """Count."""
        self.value += count


class Spread:
    """One histogram."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0.0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value into the first bucket whose bound is not below it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Counts:
    """A counter for each combination of labels."""

    def __init__(self, name: str, words: str, *labels: str) -> None:
        self.name, self.words, self.labels = name, words, labels
        self.children: dict[Labels, Count] = {}

    def of(self, *labels: str) -> Count:
        """The counter of these labels; keep it where it is used often."""
        found = self.children.get(labels)
        if found is None:
            found = self.children[labels] = Count()
        return found

    def saved(self) -> dict[str, float]:
        """Every counter by a key that says what it counts."""
        return {_key(self.name, labels): count.value for labels, count in self.children.items()}

    def restore(self, labels: Labels, parts: Mapping[str, float]) -> None:
        """Go on from where a counter was saved."""
        if len(labels) == len(self.labels):
            self.of(*labels).value += parts.get("", 0.0)

    def family(self, saved: Mapping[Labels, Mapping[str, float]]) -> CounterMetricFamily:
        """What Prometheus reads, made from saved values."""
        family = CounterMetricFamily(self.name, self.words, labels=self.labels)
        for labels, parts in sorted(saved.items()):
            family.add_metric(labels, parts.get("", 0.0))
        return family


class Spreads:
    """A histogram for each combination of labels."""

    def __init__(self, name: str, words: str, bounds: Sequence[float], *labels: str) -> None:
        self.name, self.words, self.labels = name, words, labels
        self.bounds = tuple(bounds)
        self.parts = (*(f"{bound:g}" for bound in self.bounds), BEYOND, SUM)
        self.children: dict[Labels, Spread] = {}

    def of(self, *labels: str) -> Spread:
        """The histogram of these labels; keep it where it is used often."""
        found = self.children.get(labels)
        if found is None:
            found = self.children[labels] = Spread(self.bounds)
        return found

    def saved(self) -> dict[str, float]:
        """Every bucket (by itself, not cumulated) and sum by a key that says what it counts."""
        return {
            _key(self.name, labels, part): value
            for labels, spread in self.children.items()
            for part, value in zip(self.parts, [*spread.counts, spread.total], strict=True)
        }

    def restore(self, labels: Labels, parts: Mapping[str, float]) -> None:
        """Go on from where a histogram was saved; one of other buckets begins anew."""
        if len(labels) == len(self.labels) and set(parts) == set(self.parts):
            spread = self.of(*labels)
            *counts, total = (parts[part] for part in self.parts)
            spread.counts = [
                now + before for now, before in zip(spread.counts, counts, strict=True)
            ]
            spread.total += total

    def family(self, saved: Mapping[Labels, Mapping[str, float]]) -> HistogramMetricFamily:
        """What Prometheus reads, made from saved values."""
        family = HistogramMetricFamily(self.name, self.words, labels=self.labels)
        for labels, parts in sorted(saved.items()):
            below = accumulate(parts[part] for part in self.parts[:-1])
            buckets = list(zip(self.parts[:-1], below, strict=True))
            family.add_metric(labels, buckets, parts[SUM])
        return family


def by_name(saved: Mapping[str, float]) -> dict[str, dict[Labels, dict[str, float]]]:
    """Saved values by the name of what they count, by labels, by part; strange keys are left out."""
    found: dict[str, dict[Labels, dict[str, float]]] = {}
    for key, value in saved.items():
        try:
            name, labels, part = json.loads(key)
            found.setdefault(name, {}).setdefault(tuple(labels), {})[part] = float(value)
        except (ValueError, TypeError):
            continue
    return found


def _key(name: str, labels: Labels, part: str = "") -> str:
    return json.dumps([name, labels, part], separators=(",", ":"))
