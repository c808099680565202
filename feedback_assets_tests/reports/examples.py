"""A replayed year as `simulate` hands it over, made up but of the right shape."""

import datetime as dt
from typing import Any

START = dt.datetime(2013, 2, 1, tzinfo=dt.UTC)


def simulation(steps: int = 48, every: float = 7, **changes: Any) -> dict[str, Any]:
    """A year in which a promotion every sixth step helps, and a refusal follows each."""
    length = dt.timedelta(days=every)
    end = START + steps * length
    return {
        "name": "flights",
        "title": "Late arrivals",
        "kpi": "Passengers warned in time",
        "label_kind": "binary",
        "metric": "log_loss",
        "from": START.date(),
        "to": end,
        "every_days": every,
        "loop": {"log_loss": 0.494, "auc": 0.711, "brier": 0.161},
        "frozen": {"log_loss": 0.527, "auc": 0.66, "brier": 0.174},
        "retrains": 2 * (steps // 6),
        "promotions": steps // 6,
        "refusals": steps // 6,
        "weeks": [_step(i, START + i * length, length) for i in range(steps)],
        "decisions": [d for i in range(6, steps + 1, 6) for d in _decisions(i, length)],
        **changes,
    }


def _step(index: int, start: dt.datetime, length: dt.timedelta) -> dict[str, Any]:
    loss = 0.48 + 0.03 * (index % 5) / 5
    drifted = ["temp", "dewp"][: index % 3]
    return {
        "start": start,
        "end": start + length,
        "rows": 6_500,
        "labels_arrived": 6_300,
        "labels_expected": 6_400,
        "loop": {"log_loss": loss, "auc": 0.71, "brier": 0.16},
        "frozen": {"log_loss": loss + 0.001 * index, "auc": 0.67, "brier": 0.17},
        "drift_days": len(drifted),
        "drift_columns": drifted,
        "verdict": "drift" if drifted else "stable",
        "champion": str(1 + index // 6),
    }


def _decisions(index: int, length: dt.timedelta) -> list[dict[str, Any]]:
    time = START + index * length
    version = index // 3
    kinds = [("retrain", version), ("refuse", version), ("retrain", version + 1)]
    return [
        {"time": time + dt.timedelta(minutes=i), "kind": kind, "version": str(v), "cause": "drift",
         "reason": f"log loss 0.4981 to 0.4903 in {kind} {v}", "numbers": {"rows": 5812}}
        for i, (kind, v) in enumerate([*kinds, ("promote", version + 1)])
    ]  # fmt: skip
