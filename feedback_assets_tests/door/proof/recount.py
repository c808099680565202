"""Scores a row with a version's file, apart from the service."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from feedback_assets_tests.serving.shop import LOOP, Shop


class Recount:
    """Every version of a shop, loaded once."""

    def __init__(self, shop: Shop, versions: Sequence[int]) -> None:
        self._models = {str(v): shop.model(v) for v in versions}
        folder = shop.settings.models / LOOP
        self.digests = {
            str(v): hashlib.sha256((folder / str(v) / "model.onnx").read_bytes()).hexdigest()
            for v in versions
        }

    def scores(self, version: str, rows: Sequence[Mapping[str, Any]]) -> list[float]:
        """The scores [n] that a version gives."""
        model = self._models[version]
        frame = pd.DataFrame(list(rows))
        for name, kind in model.spec.features:
            if kind == "numeric":
                frame[name] = frame[name].astype("float64")
        return [float(x) for x in model.score(frame).score]

    def worst(self, entries: Sequence[Mapping[str, Any]]) -> float:
        """The largest difference between logged scores and those of the version that is named."""
        worst = 0.0
        for version in {e["model_version"] for e in entries}:
            mine = [e for e in entries if e["model_version"] == version]
            again = self.scores(version, [e["features"] for e in mine])
            worst = max([worst, *(abs(e["score"] - s) for e, s in zip(mine, again, strict=True))])
        return worst
