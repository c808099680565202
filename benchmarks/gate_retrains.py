"""Fifty noisy retrains: what becomes of the champion's accuracy by each rule for promotion.

Every model is right on an undisputed row as often as any other; on a disputed one it is right by its
own chance. So two models disagree on half of the disputed rows, and all can be scored on all rows.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from feedback_assets.config.schema import Config
from feedback_assets.performance.metrics import Floats
from feedback_assets.promotion.betting import row_capital
from feedback_assets.promotion.paired import bets_of
from feedback_assets.promotion.verdict import proven

Bools = npt.NDArray[np.bool_]
ACCURACY, DISPUTED, CAP, LEAST = 0.8, 0.2, 1.0, 200
STAY = 8
"""Periods that a candidate may stay in shadow, and a new champion is watched."""


@dataclass(frozen=True)
class World:
    """How good candidates are, in accuracy.

    Attributes:
        after: Candidates are like the champion of their time, or like the first one.
        mean: Of their difference from it.
        spread: Standard deviation of that.
    """

    after: Literal["champion", "first"]
    mean: float
    spread: float


WORLDS = {
    "each like its champion, 0.5 ± 1 points worse": World("champion", -0.005, 0.01),
    "each like the first, ± 1 point": World("first", 0.0, 0.01),
    "each like the first, 1 ± 1 points worse": World("first", -0.01, 0.01),
}


@dataclass(frozen=True)
class Outcome:
    """Mean over the runs.

    Attributes:
        change: Of the champion's true accuracy.
        error: Its standard error.
        promotions: In a run.
        wrong: Share of the promotions that were of a worse model.
        rollbacks: In a run.
    """

    change: float
    error: float
    promotions: float
    wrong: float
    rollbacks: float = 0.0


def retrain_often(
    config: Config, world: World, labels: int, retrains: int, seed: int, runs: int = 60
) -> dict[str, Outcome]:
    """Rule to outcome, each rule with the same number of labels after each retrain."""
    found = {
        name: _at_once(world, labels, retrains, np.random.default_rng(seed), 20 * runs, name)
        for name in ("at least 98 %", "point estimate", "paired test")
    }
    places = config.rollout.shadow.candidates
    one = _Trials(config, world, labels, np.random.default_rng(seed), runs, 1)
    several = _Trials(config, world, labels, np.random.default_rng(seed), runs, places)
    return {
        **found,
        "this rule, one candidate at a time": one.run(retrains),
        "this rule": several.run(retrains),
    }


def _at_once(
    world: World, labels: int, retrains: int, rng: np.random.Generator, runs: int, rule: str
) -> Outcome:
    """A rule that decides once, on the labels of the period."""
    champion, promoted, wrong = np.zeros(runs), 0, 0
    for _ in range(retrains):
        candidate = _new(rng, world, champion)
        # Rows that only one of the two gets right: the sum of independent rows is all that counts.
        gain = candidate - champion
        up, down = (_chance(DISPUTED / 2 + sign * gain) for sign in (1, -1))
        counts = rng.multinomial(labels, np.stack([up / 2, down / 2, 1 - (up + down) / 2], axis=1))
        mean = (counts[:, 0] - counts[:, 1]) / labels
        error = np.sqrt((counts[:, 0] + counts[:, 1]) / labels - mean**2) / np.sqrt(labels)
        takes = {
            "at least 98 %": ACCURACY + champion + mean >= 0.98 * (ACCURACY + champion),
            "point estimate": mean > 0,
            "paired test": mean > 1.645 * error,
        }[rule]
        promoted, wrong = promoted + int(takes.sum()), wrong + int((takes & (gain < 0)).sum())
        champion = np.where(takes, candidate, champion)
    return _outcome(champion, promoted, wrong, 0)


class _Trials:
    """This project's rule: several candidates in shadow, asked after each label, watched after."""

    def __init__(
        self, config: Config, world: World, labels: int, rng: np.random.Generator, runs: int, places: int
    ) -> None:  # fmt: skip
        self.config, self.world, self.labels, self.rng, self.runs = config, world, labels, rng, runs
        self.bar = -np.log(config.decide.alpha)
        self.champion, self.before = np.zeros(runs), np.zeros(runs)
        # The last place is the predecessor's, whom the new champion is watched against.
        self.level = np.zeros((runs, places + 1))
        self.open = np.zeros((runs, places + 1), dtype=np.bool_)
        self.age = np.zeros((runs, places + 1), dtype=np.int64)
        self.seen = np.zeros((runs, places + 1, STAY * labels))
        self.known = np.zeros((runs, places + 1), dtype=np.int64)
        self.promoted = self.wrong = self.rollbacks = 0

    def run(self, retrains: int) -> Outcome:
        for _ in range(retrains):
            self._join()
            self._label()
            at = self._promote(self._looks())
            self._take_back(at)
            self._close()
        return _outcome(self.champion, self.promoted, self.wrong, self.rollbacks)

    def _join(self) -> None:
        """A new candidate takes a free place, or that of the weakest evidence."""
        d = self.seen[:, :-1]
        signal = d.sum(axis=2) / np.sqrt((d * d).sum(axis=2) + 1)
        place = np.where(self.open[:, :-1], signal, -np.inf).argmin(axis=1)
        run = np.arange(self.runs)
        if self.level.shape[1] == 2:  # The only one stays while it looks better.
            run = run[~self.open[:, 0] | (signal[:, 0] <= 0)]
        place = place[run]
        self.level[run, place] = _new(self.rng, self.world, self.champion)[run]
        self._begin(run, place)

    def _begin(self, run: npt.NDArray[np.int64], place: npt.NDArray[np.int64] | int) -> None:
        self.open[run, place], self.age[run, place] = True, 0
        self.seen[run, place], self.known[run, place] = 0.0, 0

    def _label(self) -> None:
        """The rows of a period: everyone is scored on the same."""
        shape = (self.runs, self.labels)
        disputed = self.rng.random(shape) < DISPUTED
        own = self.rng.random((*self.level.shape, self.labels))
        right = own < _chance(0.5 + self.level / DISPUTED)[..., None]
        champion = self.rng.random(shape) < _chance(0.5 + self.champion / DISPUTED)[:, None]
        d = np.where(disputed[:, None], right * 1.0 - champion[:, None], 0.0)
        at = self.known[..., None] + np.arange(self.labels)
        np.put_along_axis(self.seen, at, d, axis=2)

    def _looks(self) -> Floats:
        """Label of the period at which each place is proven [runs, places + 1]; inf if it is not.

        Candidates are proven safe and better; the predecessor better than the champion, which
        replaced it.
        """
        hits = np.zeros(self.seen.shape, dtype=np.bool_)
        hits[self.open] = self._capital(self.seen[self.open], 0.0) >= self.bar
        number = np.arange(self.seen.shape[2])
        fresh = (number >= self.known[..., None]) & (number < self.known[..., None] + self.labels)
        hits &= fresh & (number + 1 >= LEAST)
        found: Bools = np.asarray(hits.any(axis=2))
        found[:, -1] = False
        safe = self._capital(self.seen[found], -self.config.decide.margin * (1 - ACCURACY))
        hits[found] &= proven(np.inf, safe, self.config.decide.alpha)
        first = hits.argmax(axis=2) - self.known
        self.known = np.where(self.open, self.known + self.labels, self.known)
        return np.where(hits.any(axis=2), first, np.inf)

    def _capital(self, d: Floats, null: float) -> Floats:
        return row_capital(d, null, -CAP, bets_of(self.config, d, CAP, 1 - ACCURACY))

    def _promote(self, first: Floats) -> Floats:
        """The first that is proven leads; what is older than it is closed, the rest begins anew."""
        place = first[:, :-1].argmin(axis=1)
        run = np.flatnonzero(first[np.arange(self.runs), place] < first[:, -1])
        place = place[run]
        gain = self.level[run, place] - self.champion[run]
        self.promoted, self.wrong = self.promoted + run.size, self.wrong + int((gain < 0).sum())
        self.level[run, -1] = self.champion[run]
        self.champion[run] = self.level[run, place]
        older = self.age[run] >= self.age[run, place][:, None]
        self.open[run] &= ~older
        self.seen[run], self.known[run] = 0.0, 0
        self._begin(run, -1)
        first[run, -1] = np.inf
        return first[:, -1]

    def _take_back(self, at: Floats) -> None:
        run = np.flatnonzero(np.isfinite(at))
        self.rollbacks += run.size
        self.champion[run] = self.level[run, -1]
        self.open[run, -1] = False
        self.seen[run], self.known[run] = 0.0, 0

    def _close(self) -> None:
        """Those that are proven worse at the end of the period, or were there too long."""
        self.age += self.open
        behind = self.open & (self.seen.sum(axis=2) < 0)
        behind[:, -1] = False
        capital = self._capital(-self.seen[behind], 0.0)
        last = np.maximum(self.known[behind] - 1, 0)
        hopeless = np.zeros_like(self.open)
        hopeless[behind] = np.take_along_axis(capital, last[:, None], axis=1)[:, 0] >= self.bar
        self.open &= ~hopeless & (self.age < STAY)
        closed = ~self.open
        self.seen[closed], self.known[closed] = 0.0, 0


def _new(rng: np.random.Generator, world: World, champion: Floats) -> Floats:
    base = champion if world.after == "champion" else np.zeros_like(champion)
    return np.asarray(base + world.mean + world.spread * rng.normal(size=champion.size))


def _chance(p: Floats) -> Floats:
    return np.clip(p, 0.0, 1.0)


def _outcome(champion: Floats, promoted: int, wrong: int, rollbacks: int) -> Outcome:
    runs = champion.size
    return Outcome(
        float(champion.mean()), float(champion.std() / np.sqrt(runs)), promoted / runs,
        wrong / max(promoted, 1), rollbacks / runs,
    )  # fmt: skip
