"""`feedback-assets simulate`: a replay with a progress bar, its report, and where to look next."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from feedback_assets.assets.space import LoopSpace
from feedback_assets.garbage import keep_for_good
from feedback_assets.loop import FeedbackLoop
from feedback_assets.promotion.decisions import Decision
from feedback_assets.reports.timeline import write_simulation_report
from feedback_assets.simulation.daemon import Finished
from feedback_assets.simulation.delivery import History
from feedback_assets.simulation.home import make_room
from feedback_assets.simulation.pace import light_records
from feedback_assets.simulation.replay import Happened, Period, Replay, Step, Via
from feedback_assets.simulation.summary import drift_days, metrics, summary

MARKS = {
    "retrain": "○ trained ",
    "promote": "▲ promoted",
    "refuse": "✕ refused ",
    "rollback": "▼ back to ",
    "stage": "· stage   ",
}
COLOURS = {"retrain": "cyan", "promote": "green", "refuse": "yellow", "rollback": "red"}


@dataclass
class Simulation:
    """One replay from an empty loop to its report."""

    loop: FeedbackLoop
    history: History
    period: Period
    instance: dg.DagsterInstance
    console: Console
    via: Via = "files"
    people: Mapping[str, float] = field(default_factory=dict)
    decided: list[Decision] = field(default_factory=list)
    failed: list[Finished] = field(default_factory=list)

    @property
    def space(self) -> LoopSpace:
        """The loop's tables and models."""
        return self.loop.space

    def run(self) -> dict[str, Any]:
        """Replay the period and write `<home>/reports/<loop>.html` and `.json`.

        Returns:
            The numbers, as in the JSON file.
        """
        make_room(self.space, self.instance)
        replay = Replay(self.loop, self.history, self.period, self.instance, self.via, self.people)
        steps: list[Step] = []
        with (
            closing(replay.delivery),
            self._progress() as progress,
            light_records(self.space.settings),
        ):
            task = progress.add_task("first model", total=len(self.period.steps()))
            for first in replay.begin():
                self._tell(first)
            for start, end in self.period.steps():
                progress.update(task, description=f"{start:%d %b %Y}")
                for happened in replay.step(start, end):
                    if isinstance(happened, Step):
                        steps.append(happened)
                        self._tell_step(happened)
                    else:
                        self._tell(happened)
                if len(steps) == 1:
                    keep_for_good()
                progress.advance(task)
        return self._report(steps)

    @contextmanager
    def _progress(self) -> Iterator[Progress]:
        columns = (
            TextColumn("[bold]{task.description:>12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            yield progress

    def _tell(self, happened: Happened) -> None:
        if isinstance(happened, Finished) and not happened.success:
            self.failed.append(happened)
            self.console.print(
                f"[red]run failed[/] {', '.join(happened.assets)} ({happened.cause}), "
                f"run {happened.run_id[:8]}: {escape(happened.problem)}",
                highlight=False,
            )
        elif isinstance(happened, Decision):
            self.decided.append(happened)
            if happened.kind not in MARKS:
                return
            colour = COLOURS.get(happened.kind, "white")
            mark = MARKS[happened.kind]
            self.console.print(
                f"[dim]{happened.time:%Y-%m-%d}[/] [{colour}]{mark}[/] "
                f"version {happened.version}: {escape(happened.reason)}",
                highlight=False,
            )

    def _tell_step(self, step: Step) -> None:
        metric = self.loop.config.metric
        ours = metrics(self.loop.config, step.labels, step.loop)[metric]
        frozen = metrics(self.loop.config, step.labels, step.frozen)[metric]
        drift = drift_days(self.space, step)
        columns = ", ".join(drift["drift_columns"][:3])
        self.console.print(
            f"[dim]{step.end:%Y-%m-%d}[/] {len(step.labels):>7,} predicted  "
            f"{step.labels_arrived:>7,} labels  {metric} {ours:.4f} [dim](frozen {frozen:.4f})[/]  "
            f"drift on {drift['drift_days']} days{f' ({escape(columns)})' if columns else ''}",
            highlight=False,
        )

    def _report(self, steps: Sequence[Step]) -> dict[str, Any]:
        data = summary(self.space, self.period, steps, self.decided)
        html, numbers = report_paths(self.space)
        write_simulation_report(data, html, numbers)
        return data


def report_paths(space: LoopSpace) -> tuple[Path, Path]:
    """Where a replay's page and numbers are."""
    folder = space.settings.reports
    return folder / f"{space.name}.html", folder / f"{space.name}.json"
