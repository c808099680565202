"""What a benchmark found, and whether that is good enough."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Result:
    """One figure beside its baseline.

    Attributes:
        name: also the name of the JSON file.
        what: what was measured, in words.
        value: the figure, in `unit`.
        baseline: the same for what it is compared with, if there is such a thing.
        ratio: value by baseline; the median over pairs where pairs were measured.
        judged: which of the two the target is for.
        target: the greatest value or ratio that passes, or the least.
        least: more is better.
        details: everything else worth keeping.
    """

    name: str
    what: str
    value: float
    unit: str
    target: float
    baseline: float | None = None
    ratio: float | None = None
    judged: Literal["ratio", "value"] = "ratio"
    least: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the target is reached."""
        found = self.ratio if self.judged == "ratio" else self.value
        if found is None:
            return False
        return found >= self.target if self.least else found <= self.target

    def write(self, folder: Path) -> None:
        """Write `<folder>/<name>.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**asdict(self), "pass": self.passed}, indent=2)
        (folder / f"{self.name}.json").write_text(text + "\n", encoding="utf-8")
