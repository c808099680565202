"""A report on labels as `assets.label_evidence` makes it, without tables."""

from typing import Any

import numpy as np
import pandas as pd

from feedback_assets.assets.label_evidence import plain
from feedback_assets.labels.agreement import krippendorff
from feedback_assets.labels.annotators import annotator_report, latest_answers, votes_of
from feedback_assets.labels.changes import habit_changes
from feedback_assets.labels.kappa import couples, kappas
from feedback_assets_tests.labels.crowds import crowd

HOSTILE = "<script>alert(1)</script>\u202e{{7*7}}"


def report(hostile: bool = False) -> dict[str, Any]:
    """A busy report; a hostile one has markup for every text that comes with the data."""
    names = {"ann": 0.96, "bob": 0.93, "cy": 0.9, "dee": 0.9, "eve": 0.7}
    said = crowd(2400, 800, names, {"dee": 0.55}, seed=3)
    text = HOSTILE if hostile else ""
    if hostile:
        said["annotator"] += HOSTILE
    latest = latest_answers(said)
    votes = votes_of(latest, "binary", [])
    alpha = krippendorff(latest["prediction_id"], latest["value"])
    listed = pd.DataFrame(
        {
            "prediction_id": [f"flight-2024-01-{i % 28 + 1:02d}-{i:05d}{text}" for i in range(40)],
            "label": np.arange(40) % 2,
            "meant": [str(1 - i % 2) + text for i in range(40)],
            "doubt": np.linspace(0.98, 0.7, 40),
            "event_time": pd.date_range("2024-01-01", periods=40, freq="h", tz="UTC"),
            "label_source": ["review" + text, None] * 20,
            "label_principal": ["person:eve" + text, None, "token:app" + text, None] * 10,
        }
    )
    return {
        "as_of": "2024-02-01T09:30:00+00:00",
        "confidence": 0.95,
        "answers": len(latest),
        "skips": int((said["said"] == "skip").sum()),
        "predictions": int(latest["prediction_id"].nunique()),
        "annotators": plain(annotator_report(said, "binary")),
        "alpha": {"level": "nominal", **plain(pd.DataFrame([vars(alpha)]))[0]},
        "habits": plain(habit_changes(said, "binary")),
        "pairs": plain(kappas(votes, couples(votes)).sort_values("kappa")),
        "disputed_rows": 2,
        "disputed": [
            {"prediction_id": f"r{i}{text}", "value": "1", "confidence": 0.55,
             "said": f"ann: 1, bob: 0{text}"} for i in range(2)
        ],
        "audit": {
            "rows": 212, "right": 203, "share": 203 / 212, "low": 0.9208, "high": 0.9804,
            "asked": 0.95, "auditors": ["audit" + text],
            "wrong": [
                {"prediction_id": f"flight-{i}{text}", "label": "1", "source": "app" + text,
                 "audit": "0" + text, "audited_at": "2024-01-30T10:00:00+00:00"} for i in range(9)
            ],
        },
        "examined": 18_234,
        "errors": {
            "rows": 312, "at_most": 1_445, "models_say": 0.12, "listed": plain(listed),
            "owners": [
                {"owner": "person:eve" + text, "rows": 420, "doubtful": 77, "share": 77 / 420},
                {"owner": "token:app", "rows": 16_000, "doubtful": 220, "share": 220 / 16_000},
                {"owner": "unnamed", "rows": 1_814, "doubtful": 15, "share": 15 / 1_814},
            ],
        },
        "conflicts": {
            "groups": 2, "rows": 5, "twin_share": 0.01, "telling": True,
            "listed": [
                {"ids": [f"a-17{text}", "a-99"], "said": f"0: 1, 1: 2{text}", "rows": 3, "labels": 2,
                 "features": f"carrier UA, distance 1089, hour 7{text}"},
                {"ids": ["b-3", "b-8"], "said": "0: 1, 1: 1", "rows": 2, "labels": 2,
                 "features": "carrier DL, distance 502, hour 19"},
            ],
        },
        "worth": [
            {"name": "Accuracy" + text, "value": 0.842, "low": 0.816, "high": 0.868,
             "plain_value": 0.851, "plain_low": 0.803, "plain_high": 0.899, "percent": True,
             "words": f"212 labels gave what 760 random ones would{text}"},
            {"name": "Log loss", "value": 0.401, "low": 0.372, "high": 0.43, "plain_value": 0.39,
             "plain_low": 0.33, "plain_high": 0.45, "percent": False,
             "words": "212 labels gave what 640 random ones would"},
        ],
    }  # fmt: skip
