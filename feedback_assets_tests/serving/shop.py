"""A small trained loop in a home of its own: real ONNX models within a second."""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml

from feedback_assets.config.load import load_loop
from feedback_assets.serving.golden import golden_rows
from feedback_assets.serving.publish import publish, published
from feedback_assets.settings import Settings
from feedback_assets.training.fit import train
from feedback_assets.training.onnx_model import OnnxModel

Kind = Literal["binary", "multiclass", "regression", "text"]
LOOP = "shop"
CLASSES = ["buy", "look", "return"]
COUNTRIES = ["de", "fr", "é", "日本", "c,d"]
KINDS = ["food", "toys", "books"]
WORDS = ["great", "Broken!", "late", "naïve", "日本", "ok", "😀"]


class Shop:
    """Orders and what became of them."""

    def __init__(
        self,
        home: Path,
        kind: Kind = "binary",
        serve: dict[str, Any] | None = None,
        rules: dict[str, Any] | None = None,
        **model: Any,
    ) -> None:
        self.kind = kind
        home.mkdir(parents=True, exist_ok=True)
        configs = home.parent / "configs"
        path = configs / "loops" / f"{LOOP}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        said = _said(kind, serve or {}, rules or {}, model)
        path.write_text(yaml.safe_dump(said, allow_unicode=True), encoding="utf-8")
        self.settings = Settings(home=home, configs=configs)
        self.config = load_loop(path, {})
        self._rows = self.frame(512, seed=0)

    def train(self, version: int = 1, seed: int = 1) -> Path:
        """A version's folder, as training leaves it, with its golden rows."""
        frame = self.frame(400, seed)
        trained = train(frame, self.labels(frame, seed), self.config)
        folder = self.settings.models / LOOP / str(version)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_bytes(trained.onnx_bytes)
        (folder / "golden.json").write_bytes(golden_rows(trained.model, self.frame(16, seed + 1)))
        about = {"version": version, "onnx_digest": trained.digest, "loop": LOOP}
        (folder / "manifest.json").write_text(json.dumps(about), encoding="utf-8")
        return folder

    def publish(
        self,
        champion: int | None = 1,
        previous: int | None = None,
        challenger: int | None = None,
        stage: Literal["shadow", "canary"] = "shadow",
        decision_id: str | None = None,
    ) -> int:
        """Say who answers; the generation."""

        def of(version: int | None, tried: Any = None) -> Any:
            return version and published(self.settings, LOOP, version, tried)

        return publish(
            self.settings,
            LOOP,
            of(champion),
            of(previous),
            of(challenger, stage),
            decision_id,
        )

    def model(self, version: int = 1) -> OnnxModel:
        """The version as assets see it."""
        return OnnxModel.load(self.settings.models / LOOP / str(version) / "model.onnx")

    def row(self, i: int) -> dict[str, Any]:
        """Features of a row, as a client sends them."""
        values = self._rows.iloc[i % len(self._rows)]
        return {name: _plain(values[name]) for name in self.config.features}

    def rows(self, n: int) -> list[dict[str, Any]]:
        """The first n rows."""
        return [self.row(i) for i in range(n)]

    def frame(self, n: int, seed: int) -> pd.DataFrame:
        """Rows with an id, features and carried columns."""
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame(
            {
                "prediction_id": [f"s{seed}-{i:05d}" for i in range(n)],
                "amount": rng.normal(50, 20, n),
                "distance": rng.lognormal(3, 1, n),
                "empty": np.nan,
                "country": rng.choice(np.array(COUNTRIES, dtype=object), n),
                "shop_kind": rng.choice(np.array(KINDS, dtype=object), n),
                "region": rng.choice(np.array(["north", "south"], dtype=object), n),
                "note": [" ".join(rng.choice(WORDS, 4)) for _ in range(n)],
            }
        )
        frame.loc[rng.random(n) < 0.1, "amount"] = np.nan
        frame.loc[rng.random(n) < 0.1, "country"] = None
        return frame

    def labels(self, frame: pd.DataFrame, seed: int) -> pd.Series:
        """The truth; another seed is another truth."""
        noise = np.random.default_rng(seed + 1000).normal(size=len(frame))
        signal = frame["amount"].fillna(50) / 20 + (frame["shop_kind"] == "food") + noise
        signal = signal + seed * (frame["country"] == "de") - 3
        if self.kind == "regression":
            return signal * 100 + 1000
        if self.kind == "multiclass":
            return pd.cut(signal, [-99, -0.5, 0.8, 99], labels=CLASSES).astype(str)
        return (signal > 0).astype(int)


def _said(
    kind: Kind, serve: dict[str, Any], rules: dict[str, Any], model: dict[str, Any]
) -> dict[str, Any]:
    label = "binary" if kind == "text" else kind
    return {
        "name": LOOP,
        "title": "Orders of a shop",
        "owners": ["team:shop"],
        "kpi": {"name": "orders kept"},
        "source": {
            "predictions": {"path": "{home}/sources/shop/predictions"},
            "feedback": {"path": "{home}/sources/shop/feedback"},
        },
        "columns": {
            "numeric": ["amount", "distance", "empty"],
            "categorical": ["country", "shop_kind"],
            "text": ["note"] if kind == "text" else [],
            "segments": ["country", "region"],
            "class_scores": {c: f"score_{c}" for c in CLASSES} if kind == "multiclass" else {},
            "rules": rules,
        },
        "label": {"kind": label, "classes": CLASSES if kind == "multiclass" else []},
        "partitions": {"start": "2026-01-01"},
        "model": model or {"estimator": "linear"},
        "pool": {"min_rows": 100},
        "serve": serve,
    }


def _plain(value: Any) -> Any:
    if value is None or value != value:
        return None
    return value if isinstance(value, str) else float(value)
