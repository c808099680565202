"""What a model costs to run: the time for one row, its file, its memory."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from feedback_assets.evaluation import memory_probe
from feedback_assets.evaluation.side import Sides
from feedback_assets.performance.metrics import Floats
from feedback_assets.training.onnx_model import OnnxModel

_WARM_UP = 10
_ROUNDS = 2
_MB = 1e6
_PROBE_SECONDS = 120


def latency(rows: pd.DataFrame, sides: Sides, most: int) -> dict[str, Any]:
    """Percentiles of the time in which each model answers one row, prepared inputs included.

    The models take turns on the same rows, so that a busy machine is busy for both, and a row's time
    is the better of two: what else the machine did meanwhile is not the model's fault. How long
    requests really take is seen in the canary.

    Args:
        rows: the examined rows.
        sides: the models.
        most: rows to score, spread evenly.

    Returns:
        Model -> p50_ms, p95_ms, p99_ms, rows; None for a champion that there is not.
    """
    picked = np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64))
    single = [rows.iloc[[i]] for i in picked]
    for side in sides.values():
        for row in single[:_WARM_UP]:
            side.model.score(row)
    rounds = [_round(single, sides) for _ in range(_ROUNDS)]
    found = {name: _percentiles(np.min([r[name] for r in rounds], axis=0)) for name in sides}
    return {"champion": None, **found}


def _round(single: Sequence[pd.DataFrame], sides: Sides) -> dict[str, list[float]]:
    """Milliseconds of each model for each row."""
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for row in single:
        for name, side in sides.items():
            started = time.perf_counter()
            side.model.score(row)
            spent[name].append((time.perf_counter() - started) * 1000)
    return spent


def _percentiles(milliseconds: Floats) -> dict[str, float]:
    known = np.quantile(milliseconds, [0.5, 0.95, 0.99]) if milliseconds.size else [np.nan] * 3
    named = zip(("p50_ms", "p95_ms", "p99_ms"), known, strict=True)
    return {name: float(value) for name, value in named} | {"rows": milliseconds.size}


def size(sides: Sides) -> dict[str, Any]:
    """Megabytes of each model's file, and of the memory that it takes once loaded.

    Memory is None where the system does not tell it.
    """
    memory = dict(zip(sides, loaded_mb([s.model for s in sides.values()]), strict=True))
    found = {
        name: {"file_mb": len(side.model.content) / _MB, "memory_mb": memory[name]}
        for name, side in sides.items()
    }
    return {"champion": None, **found}


def loaded_mb(models: Sequence[OnnxModel]) -> list[float | None]:
    """Memory in MB that each model's session takes, seen in a fresh process.

    In this one, memory that was freed before would hide what a new session takes.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{i}.onnx" for i in range(len(models))]
        for file, model in zip(files, models, strict=True):
            file.write_bytes(model.content)
        try:
            said = subprocess.run(  # noqa: S603
                [sys.executable, "-I", str(Path(memory_probe.__file__)), *map(str, files)],
                capture_output=True, text=True, timeout=_PROBE_SECONDS, check=True,
                env={k: v for k, v in os.environ.items() if not k.startswith("PYTHON")},
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return [None] * len(models)
    return [float(line) / _MB for line in said.stdout.split()]
