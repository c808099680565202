"""Reads what `/metrics` says."""

from collections.abc import Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families


class Metrics:
    """One scrape."""

    def __init__(self, client: httpx.Client) -> None:
        answer = client.get("/metrics")
        assert answer.status_code == 200, answer.text
        self.text = answer.text
        self._samples = [
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        ]

    def total(self, name: str, **labels: str) -> float:
        """Sum of a metric's samples that carry the labels."""
        return sum(
            value
            for found, stated, value in self._samples
            if found == name and _fits(stated, labels)
        )

    def values(self, name: str, label: str) -> dict[str, float]:
        """A metric's samples by one label."""
        found: dict[str, float] = {}
        for sample, stated, value in self._samples:
            if sample == name:
                found[stated.get(label, "")] = found.get(stated.get(label, ""), 0) + value
        return found


def _fits(stated: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(stated.get(name) == value for name, value in wanted.items())
