"""Run benchmarks, print a table, write `<home>/bench/<name>.json`."""

import argparse
import os
import sys
from importlib import import_module

from rich.console import Console
from rich.table import Table

from benchmarks.result import Result
from feedback_assets.settings import Settings

NAMES = (
    "definitions", "step", "throughput", "drift_presets", "drift_exact", "drift_new_day", "drift_wide",
    "drift_reverdict", "week", "serve_onnx", "serve_feedback", "serve_predict", "serve_shadow",
    "ledger",
)  # fmt: skip
LONG = ("backfill_year", "gate_rules", "labels")
"""Only when named: minutes, the real daemon, a table in docs/."""


def main() -> int:
    """Measure what is named, or everything; a missed target fails only with --strict."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES + LONG)}")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a target is missed")
    options = parser.parse_args()
    if unknown := set(options.names) - {*NAMES, *LONG}:
        parser.error(
            f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES + LONG)}"
        )
    os.environ.update(DO_NOT_TRACK="true", DAGSTER_DISABLE_TELEMETRY="true")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    console, folder = Console(), Settings().root / "bench"
    results: list[Result] = []
    for name in options.names or NAMES:
        with console.status(f"measuring {name}"):
            for result in import_module(f"benchmarks.{name}").measure():
                result.write(folder)
                results.append(result)
    console.print(shown(results))
    console.print(f"[dim]load {os.getloadavg()[0]:.1f}; {folder}/*.json[/]")
    return int(options.strict and not all(result.passed for result in results))


def shown(results: list[Result]) -> Table:
    """The results as a table."""
    table = Table("figure", "value", "baseline", "ratio", "target", "")
    for result in results:
        table.add_row(
            result.what,
            f"{result.value:,.3g} {result.unit}",
            "" if result.baseline is None else f"{result.baseline:,.3g} {result.unit}",
            "" if result.ratio is None else f"{result.ratio:.3g}",
            f"{'ratio' if result.judged == 'ratio' else result.unit} "
            f"{'≥' if result.least else '≤'} {result.target:.3g}",
            "[green]reached[/]" if result.passed else "[red bold]missed[/]",
        )
    return table


sys.exit(main())
