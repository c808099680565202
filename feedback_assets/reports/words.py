"""How measures, periods and results are said to people."""

import datetime as dt
from dataclasses import dataclass
from itertools import pairwise

from feedback_assets.reports.shape import Decision, Metrics, Simulation, Step


@dataclass(frozen=True)
class Measure:
    """A metric's name for people, its direction and its digits."""

    name: str
    lower_is_better: bool
    digits: int = 3

    def gain(self, loop: float, frozen: float) -> float:
        """How much better the loop is than the frozen model; negative when it is worse."""
        return frozen - loop if self.lower_is_better else loop - frozen

    def say(self, value: float | None) -> str:
        """The value in words."""
        return MISSING if value is None else f"{value:,.{self.digits}f}"

    @property
    def direction(self) -> str:
        """Which way is good."""
        return "lower is better" if self.lower_is_better else "higher is better"


MEASURES = {
    "log_loss": Measure("Log loss", lower_is_better=True),
    "auc": Measure("AUC", lower_is_better=False),
    "brier": Measure("Brier score", lower_is_better=True),
    "accuracy": Measure("Accuracy", lower_is_better=False),
    "f1": Measure("F1", lower_is_better=False),
    "macro_f1": Measure("Macro F1", lower_is_better=False),
    "mae": Measure("Mean absolute error", lower_is_better=True),
    "rmse": Measure("Root mean squared error", lower_is_better=True),
    "r2": Measure("R²", lower_is_better=False),
}
CHARTED = {
    "binary": ("log_loss", "auc", "brier"),
    "multiclass": ("log_loss", "accuracy", "macro_f1"),
    "regression": ("mae", "rmse", "r2"),
}
MISSING = "\N{EN DASH}"
KINDS = {"retrain": "Trained", "promote": "Promoted", "refuse": "Refused"}
FURTHER = {
    "rollback": "Rolled back",
    "stage": "Stage",
    "gate": "Gates asked",
    "request": "Approval asked",
    "approve": "Approved",
    "reject": "Rejected",
    "config": "Configuration changed",
    "serving": "Followed by the services",
    "drill": "Rollback drilled",
}
VERDICTS = ("stable", "drift", "insufficient", "broken")


def measures_of(sim: Simulation) -> list[str]:
    """The metrics to show, the gate's first; only those that the result holds."""
    order = dict.fromkeys([sim.main_metric, *CHARTED[sim.label_kind]])
    known = [name for name in order if name in MEASURES]
    held = [name for name in known if name in sim.loop or name in sim.frozen]
    return held or known[:2]


def period_word(every_days: float, count: int = 2) -> str:
    """What one step is called: hour, day, week, or step."""
    names = {1 / 24: "hour", 1.0: "day", 7.0: "week"}
    name = next((word for days, word in names.items() if abs(days - every_days) < 1e-6), "step")
    return name if count == 1 else f"{name}s"


def amount(count: int, word: str) -> str:
    """A count with its noun, as in `1 promotion` and `12 promotions`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def day(time: dt.datetime, *, year: bool = False) -> str:
    """A date for people, as in `4 Mar` or `4 Mar 2013`."""
    return f"{time.day} {time:%b}" + (f" {time.year}" if year else "")


def last_day(end: dt.datetime) -> dt.datetime:
    """The last day that a period holds, whose end may be the next midnight."""
    return end - dt.timedelta(microseconds=1)


def span(step: Step) -> str:
    """A step's days, as in `4 Mar to 10 Mar`."""
    first, last = day(step.start), day(max(last_day(step.end), step.start))
    if step.end - step.start < dt.timedelta(days=1):
        return f"{first} {step.start:%H:%M}"
    return first if first == last else f"{first} to {last}"


def version_name(version: str | None) -> str:
    """A model version as people say it, as in `v7`."""
    if not version:
        return ""
    return f"v{version}" if version.isdigit() else version


def share(part: int | None, whole: int | None) -> str:
    """A share in per cent, never rounded up to all of it."""
    if part is None or not whole:
        return MISSING
    percent = 100 * part / whole
    if 99.9 < percent < 100:
        return "99.9%"
    return f"{percent:.1f}%".replace(".0%", "%")


def difference(name: str, loop: Metrics, frozen: Metrics) -> tuple[str, str]:
    """The change against the frozen model in words, and its tone (better, worse, same)."""
    ours, theirs = loop.get(name), frozen.get(name)
    if ours is None or theirs is None:
        return "nothing to compare", "same"
    measure = MEASURES[name]
    gain = measure.gain(ours, theirs)
    if abs(gain) < 0.5 * 10**-measure.digits:
        return "no difference", "same"
    tone = "better" if gain > 0 else "worse"
    relative = f" ({abs(gain / theirs):.1%})" if measure.lower_is_better and theirs > 0 else ""
    return f"{measure.say(abs(gain))} {tone}{relative}", tone


def ahead(sim: Simulation) -> tuple[int, int, int]:
    """Steps in which the loop was better, in which it was worse, and steps with both numbers."""
    name = measures_of(sim)[0]
    pairs = [(s.loop.get(name), s.frozen.get(name)) for s in sim.weeks]
    gains = [MEASURES[name].gain(a, b) for a, b in pairs if a is not None and b is not None]
    return sum(g > 1e-9 for g in gains), sum(g < -1e-9 for g in gains), len(gains)


def story(sim: Simulation) -> str:
    """The result in one or two honest sentences."""
    name = measures_of(sim)[0]
    measure, ours, theirs = MEASURES[name], sim.loop.get(name), sim.frozen.get(name)
    word = measure.name if measure.name.isupper() else measure.name[0].lower() + measure.name[1:]
    if ours is None or theirs is None:
        return f"No labels arrived, so there is no {word} to show yet."
    _, tone = difference(name, sim.loop, sim.frozen)
    replaced = _replacements(sim)
    if not replaced:
        return f"The first champion was never replaced and ends at {word} {measure.say(ours)}."
    if tone == "same":
        return f"The loop and its frozen first model end level, at {word} {measure.say(ours)}."
    verb = "kept" if tone == "better" else "left"
    rest = f"it would have been {measure.say(theirs)}"
    ending = "." if tone == "better" else ": here retraining did harm, and the gate let it through."
    return (
        f"{amount(replaced, 'replacement')} of the champion {verb} the {word} at "
        f"{measure.say(ours)}. Frozen in its first version, {rest}{ending}"
    )


def _replacements(sim: Simulation) -> int:
    champions = [s.champion for s in sim.weeks if s.champion]
    changes = sum(a != b for a, b in pairwise(champions))
    return changes or sim.promotions


def kind_word(kind: str) -> str:
    """What a kind of decision is called; a kind without a word keeps its own name."""
    return (KINDS | FURTHER).get(kind, kind.replace("_", " ").capitalize())


def kinds_of(sim: Simulation) -> list[str]:
    """The kinds of decisions to show: always the three, then whatever else was decided."""
    return list(dict.fromkeys([*KINDS, *(d.kind for d in sim.decisions)]))


def decision_title(decision: Decision) -> str:
    """A decision in one line, as in `4 Mar 2013: promoted v3`."""
    what = f"{kind_word(decision.kind).lower()} {version_name(decision.version)}".strip()
    return f"{day(decision.time, year=True)}: {what}"
