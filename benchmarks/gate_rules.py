"""What rules for promotion do to equal, better and worse candidates: simulation.

    python -m benchmarks gate_rules

Judges by the functions that judge real candidates, and writes the tables of docs/promotion-rules.md.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.gate_retrains import WORLDS, Outcome, retrain_often
from benchmarks.result import Result
from feedback_assets.config.schema import Config
from feedback_assets.performance.metrics import Floats
from feedback_assets.promotion.betting import day_capital, row_capital
from feedback_assets.promotion.paired import bets_of
from feedback_assets.promotion.utility import shrunk_gain
from feedback_assets.promotion.verdict import proven

PAGE = Path(__file__).parents[1] / "docs" / "promotion-rules.md"
SCALE, CAP, DISAGREE, LEAST = 0.2, 1.0, 0.1, 200
"""A champion that is right in 80 % and differs from a candidate on 10 % of the rows."""
LABELS = 10_000
STATED = 4_000
"""So many labels a candidate that is better by 2 points may need, in 9 of 10 cases."""
RETRAINS, MARGIN_OF_NOISE = 50, 2.0


def loop() -> Config:
    """A loop that is judged by accuracy, with every default but the bets on rows."""
    return Config.model_validate(
        {
            "name": "rules", "title": "Rules", "owners": ["team:rules"], "kpi": {"name": "Right answers"},
            "source": {"predictions": {"path": "p"}, "feedback": {"path": "f"}},
            "columns": {"numeric": ["x"]}, "label": {"kind": "binary"},
            "partitions": {"start": "2024-01-01"}, "gate": {"metric": "accuracy"},
            "decide": {"unit": "row"},
        }
    )  # fmt: skip


def measure() -> list[Result]:
    """Every table; writes the page."""
    config, rng = loop(), np.random.default_rng(11)
    equal = equal_candidates(config, rng)
    better = {gain: labels_needed(config, rng, gain) for gain in (0.005, 0.01, 0.02, 0.04)}
    days = {
        (share, again): day_luck(config, rng, share, again)
        for share in (0.0, 0.01, 0.03)
        for again in (0.0, 0.35)
    }
    often = {
        (name, labels): retrain_often(config, world, labels, RETRAINS, seed=5)
        for name, world in WORLDS.items()
        for labels in (300, 500, 1_000)
    }
    fill(PAGE, {
        "equal": equal_table(equal), "better": better_table(better), "days": days_table(days),
        "retrains": retrains_table(often),
    })  # fmt: skip
    lead = min(
        row["this rule"].change - max(o.change for n, o in row.items() if n != "this rule")
        for row in often.values()
    )
    least = min(row["this rule"].change for row in often.values())
    return [
        _result("gate_rules_equal", "equal candidates promoted, watched after each label", equal["this rule"], "share", 0.05),
        _result("gate_rules_days", "equal candidates promoted by days that differ", days[0.03, 0.0]["day"], "share", 0.05),
        _result("gate_rules_better", f"2 points better promoted within {STATED:,} labels", float((better[0.02] <= STATED).mean()), "share", 0.9, least=True),
        _result("gate_rules_retrains", f"net change of accuracy after {RETRAINS} retrains, worst world", 100 * least, "points", 0.0, least=True),
        _result("gate_rules_lead", "the same, ahead of the best other rule, worst world", 100 * lead, "points", 0.0, least=True),
    ]  # fmt: skip


def rows(rng: np.random.Generator, runs: int, n: int, gain: float, disagree: float) -> Floats:
    """Differences of right answers [runs, n]: 1, 0 or -1."""
    u = rng.random((runs, n))
    better, worse = u < (disagree + gain) / 2, u > 1 - (disagree - gain) / 2
    return better.astype(np.float64) - worse


def first_promoted(config: Config, d: Floats) -> Floats:
    """Label at which this rule promotes when it is asked after each [runs]; inf if never."""
    bets = bets_of(config, d, CAP, SCALE)
    better = row_capital(d, 0.0, -CAP, bets)
    safe = row_capital(d, -config.decide.margin * SCALE, -CAP, bets)
    seen = np.arange(1, d.shape[1] + 1)
    mean, error = _mean_and_error(d)
    worth = shrunk_gain(mean, error, config.decide.prior_gain * SCALE) > 0
    return _first(proven(better, safe, config.decide.alpha) & worth & (seen >= LEAST))


def equal_candidates(
    config: Config, rng: np.random.Generator, runs: int = 1_000
) -> dict[str, float]:
    """Rule to the share of equal candidates that it ever promotes."""
    promoted: dict[str, int] = {}
    for _ in range(runs // 100):
        d = rows(rng, 100, LABELS, 0.0, DISAGREE)
        mean, error = _mean_and_error(d)
        seen = np.arange(1, LABELS + 1) >= LEAST
        t = np.divide(mean, error, out=np.zeros_like(mean), where=error > 0)
        found = {
            "point estimate": (mean > 0) & seen,
            "at least 98 %": (1 - SCALE + mean >= 0.98 * (1 - SCALE)) & seen,
            "paired test, p < 0.05": (t > 1.645) & seen,
            "this rule": first_promoted(config, d)[:, None] < np.inf,
        }
        for name, hits in found.items():
            promoted[name] = promoted.get(name, 0) + int(hits.any(axis=1).sum())
    return {name: count / runs for name, count in promoted.items()}


def labels_needed(config: Config, rng: np.random.Generator, gain: float, runs: int = 300) -> Floats:
    """Labels until this rule promotes a candidate with this gain of accuracy [runs]."""
    return np.concatenate(
        [
            first_promoted(config, rows(rng, 100, 2 * LABELS, gain, DISAGREE))
            for _ in range(runs // 100)
        ]
    )


def day_luck(
    config: Config, rng: np.random.Generator, shared: float, again: float, runs: int = 400,
    days: int = 60, each: int = 300,
) -> dict[str, float]:  # fmt: skip
    """Share of candidates, equal in the long run, that are promoted by bets on rows and on days.

    Args:
        config: The loop's.
        rng: Chance.
        shared: Share of the variance of a row's difference that its day decides, askew as on real
            days.
        again: Correlation of a day's luck with that of the day before.
        runs: Candidates.
        days: That a trial lasts.
        each: Rows of a day.
    """
    bar, hits = -np.log(config.decide.alpha), {"row": 0, "day": 0}
    for _ in range(runs // 50):
        fresh = (rng.gamma(9.0, size=(50, days)) - 9.0) / 3.0
        luck = fresh.copy()
        for day in range(1, days):
            luck[:, day] = again * luck[:, day - 1] + np.sqrt(1 - again**2) * fresh[:, day]
        noise = rng.normal(size=(50, days, each))
        d = np.clip(0.13 * (np.sqrt(shared) * luck[..., None] + np.sqrt(1 - shared) * noise), -1, 1)
        flat = d.reshape(50, -1)
        by_row = row_capital(flat, 0.0, -CAP, bets_of(config, flat, CAP, SCALE))
        by_day = day_capital(d.sum(axis=2), np.full((50, days), float(each)), 0.0)
        hits["row"] += int((by_row[:, LEAST:] >= bar).any(axis=1).sum())
        hits["day"] += int((by_day >= bar).any(axis=1).sum())
    return {unit: count / runs for unit, count in hits.items()}


def equal_table(found: dict[str, float]) -> str:
    """Markdown."""
    lines = [
        f"| rule, asked after each of {LABELS:,} labels | equal candidates promoted |",
        "| --- | --: |",
    ]
    return "\n".join([*lines, *(f"| {name} | {share:.1%} |" for name, share in found.items())])


def better_table(found: dict[float, Floats]) -> str:
    """Markdown."""
    lines = ["| better by | half promoted within | 9 of 10 within |", "| --- | --: | --: |"]
    for gain, needed in found.items():
        half, most = (_labels(float(np.sort(needed)[int(q * needed.size)])) for q in (0.5, 0.9))
        lines.append(f"| {100 * gain:g} points | {half} | {most} |")
    return "\n".join(lines)


def days_table(found: dict[tuple[float, float], dict[str, float]]) -> str:
    """Markdown."""
    lines = [
        "| variance shared by a day's rows | correlation of neighbouring days | bets on rows | bets on days |",
        "| --: | --: | --: | --: |",
    ]
    for (share, again), hit in found.items():
        lines.append(f"| {share:.0%} | {again:g} | {hit['row']:.1%} | {hit['day']:.1%} |")
    return "\n".join(lines)


def retrains_table(found: dict[tuple[str, int], dict[str, Outcome]]) -> str:
    """Markdown."""
    names = list(next(iter(found.values())))
    lines = [
        f"| world | labels a retrain | {' | '.join(names)} |",
        "| --- | --: |" + " --: |" * len(names),
    ]
    for (world, labels), row in found.items():
        best = max(o.change for o in row.values())
        cells = [
            f"{'**' if o.change == best else ''}{100 * o.change:+.1f}{'**' if o.change == best else ''} "
            f"({o.promotions:.0f}, {o.wrong:.0%})" for o in row.values()
        ]  # fmt: skip
        lines.append(f"| {world} | {labels:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def fill(page: Path, tables: dict[str, str]) -> None:
    """Put tables between their marks `<!-- name -->` and `<!-- /name -->`."""
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        mark = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not mark.search(text):
            raise ValueError(f"{page} has no place <!-- {name} -->")
        text = mark.sub(lambda m, table=table: f"{m[1]}{table}\n{m[2]}", text)  # type: ignore[misc]
    page.write_text(text, encoding="utf-8")


def _mean_and_error(d: Floats) -> tuple[Floats, Floats]:
    seen = np.arange(1, d.shape[1] + 1)
    mean = np.cumsum(d, axis=1) / seen
    spread = np.cumsum(d * d, axis=1) / seen - mean * mean
    return mean, np.sqrt(np.maximum(spread, 0.0) / seen)


def _first(hits: npt.NDArray[np.bool_]) -> Floats:
    return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1.0, np.inf)


def _labels(needed: float) -> str:
    return f"{needed:,.0f}" if np.isfinite(needed) else f"more than {2 * LABELS:,}"


def _result(name: str, what: str, value: float, unit: str, target: float, **more: Any) -> Result:
    return Result(name, what, value, unit, target, judged="value", **more)
