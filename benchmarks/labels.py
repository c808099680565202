"""Labels needed to be as good as random ones, by strategy, on four real histories.

    python -m benchmarks labels
    python -m benchmarks.labels flights --seeds 4     # one of them, as a table

The target is the log loss of 3,000 random labels (of youtube: of 370, half of the rows that can be
asked). Rows judge by whole days (of acs: one by one; of youtube: equal comments together) and are
never asked; each replay divides anew. The text model is trained once more by the loop's own path,
exported to ONNX, and its file judged.
"""

import argparse
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.label_worlds import FOLDER, acs_employment, elec2, flights, youtube_spam
from benchmarks.result import Result
from feedback_assets.config.review import Review
from feedback_assets.querying.advice import Advice, advice
from feedback_assets.querying.history import History
from feedback_assets.querying.replay import Plan, asked_rows, replay
from feedback_assets.reports.advice_page import advice_picture, way_in_words

DEFAULT = "default mix"
TABLE = (200, 350, 600, 1000, 1500, 2200, 3000)
TEXT = (30, 45, 60, 80, 105, 135, 170, 210, 260, 310, 370)
ALONE = ("entropy", "committee", "density", "diversity")


@dataclass(frozen=True)
class Set:
    """One history and how it is replayed."""

    load: Callable[[Path], History]
    plan: Plan
    text: bool = False


SETS = {
    "flights": Set(flights, Plan(TABLE, 6)),
    "elec2": Set(elec2, Plan(TABLE, 6)),
    "acs_employment": Set(acs_employment, Plan(TABLE, 6)),
    "youtube_spam": Set(youtube_spam, Plan(TEXT, 8, judge_share=0.35), text=True),
}


def measure() -> list[Result]:
    """The default mix on every set; all ways are in the details."""
    return [result for name in SETS for result in measured(name, replayed(name))]


def replayed(name: str, seeds: int | None = None) -> Advice:
    """Every way of asking on one set."""
    chosen = SETS[name]
    history = chosen.load(FOLDER)
    plan = chosen.plan if seeds is None else Plan(
        chosen.plan.budgets, seeds, chosen.plan.judge_share
    )  # fmt: skip
    ways = {DEFAULT: Review(), **{way: Review(mix={way: 1.0}) for way in ALONE}}
    return advice(history.config, replay(history, ways, plan), len(history))


def measured(name: str, found: Advice) -> list[Result]:
    """What is asked of the default mix: few labels, and never worse than random ones."""
    mine = next(way for way in found.needed if way.name == DEFAULT)
    details = {**found.to_dict(), "in_words": [way_in_words(way) for way in found.needed]}
    results = [
        Result(
            f"labels_{name}",
            f"{name}: labels the default mix needs / random ones for the same log loss",
            mine.labels if math.isfinite(mine.labels) else 2.0 * mine.random,
            "labels", 0.5, mine.random,
            mine.share if math.isfinite(mine.share) else 2.0,
            details=details,
        ),
        Result(
            f"labels_{name}_worse",
            f"{name}: log loss of the default mix above random labels', all budgets",
            mine.worse, "standard errors", 2.0, judged="value",
        ),
    ]  # fmt: skip
    if SETS[name].text:
        results.append(exported(name))
    return results


def exported(name: str) -> Result:
    """The log loss of the ONNX file, trained by the loop's own path on what the mix asked."""
    from feedback_assets.training.fit import train

    chosen = SETS[name]
    history = chosen.load(FOLDER)
    half = [b for b in chosen.plan.budgets if b <= chosen.plan.budgets[-1] / 2]
    plan = Plan(tuple(half), 1, chosen.plan.judge_share)
    rows, judges = asked_rows(history, Review(), plan)
    labels = history.target[rows].astype(int)
    trained = train(history.frame.iloc[rows], labels.tolist(), history.config)
    score = trained.model.score(history.frame.iloc[judges]).score
    truth = history.target[judges] == 1
    loss = float(-np.log(np.clip(np.where(truth, score, 1 - score), 1e-6, 1)).mean())
    refit = history.fitted(rows).loss(judges)
    return Result(
        f"labels_{name}_onnx",
        f"{name}: log loss of the ONNX file less the replayed model's, {len(rows)} labels",
        abs(loss - refit), "nats", 1e-3, judged="value", details={"onnx": loss, "replay": refit},
    )  # fmt: skip


def main() -> None:
    """Print the Markdown table of some sets, and keep their pictures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.labels", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *SETS], help="all if none is named")
    parser.add_argument("--seeds", type=int, help="replays of each way")
    parser.add_argument("--pictures", type=Path, help="a folder for PNG files")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in options.names or SETS:
        found = replayed(name, options.seeds)
        print(table(name, found), flush=True)
        if options.pictures:
            (options.pictures / f"labels_{name}.png").write_bytes(advice_picture(found))


def table(name: str, found: Advice) -> str:
    """Markdown: one row a way."""
    lines = [
        (
            f"\n### {name}: {found.rows:,} rows, {found.seeds} replays, for what {found.budgets[-1]:,} "
            "random labels give\n"
        ),
        "| way | labels | 90 of 100 times | share | loss against random |",
        "| --- | --: | --- | --: | --- |",
    ]
    for way in found.needed:
        said = way_in_words(way)
        lines.append(
            f"| {said['name']} | {said['labels']} | {said['range']} | {said['share']} | {said['verdict']} |"
        )
    lines += ["", "| labels | " + " | ".join(f"{b:,}" for b in found.budgets) + " |"]
    lines.append("| --- |" + " --: |" * len(found.budgets))
    for way_name, losses in found.curves.items():
        lines.append(f"| {way_name} | " + " | ".join(f"{v:.4f}" for v in losses) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
