"""Made-up crowds: who answers what, with truth, errors, skips, golden items and a change of habit."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

START = pd.Timestamp("2024-01-01T08:00", tz="UTC")


def crowd(
    rows: int = 1200,
    items: int = 500,
    right: Mapping[str, float] | None = None,
    turned: Mapping[str, float] | None = None,
    seed: int = 0,
    names: tuple[str, ...] = ("0", "1"),
) -> pd.DataFrame:
    """The table `annotations` of a crowd, with `truth` beside it.

    Args:
        rows: Answers, spread over people and items by lot, one in five minutes.
        items: Predictions asked about; the first twentieth is golden.
        right: Chance of a right answer by person.
        turned: The same in the second half, where it is another.
        seed: Of the lot.
        names: Classes.
    """
    right = right or {"ann": 0.95, "bob": 0.9, "cy": 0.85, "dee": 0.9}
    rng = np.random.default_rng(seed)
    people = np.array(list(right))
    who = rng.integers(0, len(people), rows)
    item = rng.integers(0, items, rows)
    truth = np.random.default_rng(99).integers(0, len(names), items)
    late = np.arange(rows) >= rows // 2
    after = {**right, **(turned or {})}
    chance = np.where(
        late, np.array([after[p] for p in people])[who], np.array(list(right.values()))[who]
    )
    wrong = (truth[item] + rng.integers(1, len(names), rows)) % len(names)
    value = np.where(rng.random(rows) < chance, truth[item], wrong)
    golden, spelled = item < items // 20, np.array(names, dtype=object)
    at = START + pd.to_timedelta(np.arange(rows) * 5, unit="min")
    skip = rng.random(rows) < 0.03
    known = np.where(golden, spelled[truth[item]], None)
    return pd.DataFrame(
        {
            "prediction_id": [f"r{i:04d}" for i in item],
            "annotator": people[who],
            "said": np.where(skip, "skip", "label"),
            "value": np.where(skip, None, spelled[value]),
            "annotated_at": at,
            "received_at": at,
            "duration_seconds": rng.lognormal(3.0, 0.5, rows),
            "saw_opinion": rng.random(rows) < 0.1,
            "strategy": np.where(golden, "golden", "entropy"),
            "known": known,
            "right": np.where(golden & ~skip, spelled[value] == spelled[truth[item]], None),
            "truth": spelled[truth[item]],
        }
    )
