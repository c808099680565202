"""Code run in a process of its own, with what it cost."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

METER = """
import json, resource
_start = [0.0, 0.0]
def _used():
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
    return [used.ru_utime + used.ru_stime, int(peak.split()[1]) / 1024]
def _begin():
    open("/proc/self/clear_refs", "w").write("5")  # forget the peak so far
    _start[:] = _used()
def _report():
    print(json.dumps([now - then for now, then in zip(_used(), _start)]))
"""


@dataclass(frozen=True)
class Spent:
    """CPU seconds and the largest resident memory in megabytes."""

    cpu: float
    memory: float


def spent(code: str) -> Spent:
    """Run Python code in a fresh process and tell what it cost since it called `_begin()`.

    Without such a call everything counts, the interpreter included.
    """
    command = [sys.executable, "-c", f"{METER}\n{code}\n_report()"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Spent(*json.loads(done.stdout.splitlines()[-1]))


def pairs(ours: Callable[[], Spent], theirs: Callable[[], Spent], times: int) -> list[list[Spent]]:
    """Measure two things in turn, so that both feel the same load; the first pair warms up."""
    return [[ours(), theirs()] for _ in range(times + 1)][1:]


def median_ratio(measured: list[list[Spent]], name: str) -> tuple[float, float, float]:
    """Median of one figure for ours and theirs, and the median of their ratios."""
    values = [[getattr(each, name) for each in pair] for pair in measured]
    ratios = [ours / theirs for ours, theirs in values]
    ours, theirs = (median(column) for column in zip(*values, strict=True))
    return ours, theirs, median(ratios)
