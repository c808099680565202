"""The difference of mean loss between two periods and its parts, and how they are told."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from feedback_assets.causes.findings import Finding

PARTS = (
    "mix of segments", "missingness", "covariate shift", "label shift", "concept change",
)  # fmt: skip
ASSUMPTIONS = (
    (
        "The order is part of the answer: segments first, then missing values, then features, then the "
        "label; what two of them do together is counted with the earlier."
    ),
    (
        "Rows that have no like in the other period count with the step that tells them apart: nothing is "
        "known of how the old concept would have done on them."
    ),
    (
        "Label shift is named only if the features given the label stayed as they were or moved beside "
        "it by a factor of their own. Such a move together with a label shift cannot be told from a move "
        "of the features with a constant change of the label's odds; it is called label shift. If the "
        "features say nothing of the label, label shift and concept change are one."
    ),
    (
        "A cause outside the given features looks like a concept change, and so does a changed model: "
        "compare periods of one model version."
    ),
    (
        "Days are taken to be independent of each other; the interval does not know of errors of the "
        "trees that judge how like two rows are, and the explanations' weights take rows as independent."
    ),
)


@dataclass(frozen=True)
class Part:
    """A number with its interval."""

    name: str
    value: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """As in "label shift +0.12 (0.1 to 0.14)"."""
        return f"{self.name} {self.value:+.3g} ({self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True)
class Split:
    """The difference of mean loss between two periods, and its parts."""

    metric: str
    rows_before: int
    rows_after: int
    mean_before: float
    mean_after: float
    total: Part
    """Later less earlier mean loss: positive is worse."""
    parts: tuple[Part, ...] = ()
    """In the order of `PARTS`; their values add up to the total's. Empty if not known."""
    overlap: float = float("nan")
    """1: the periods' rows are alike in all features; 0: no row has its like in the other period."""
    explanations: Mapping[str, float] = field(default_factory=dict)
    """What changed, in words, to the weight of the explanation, largest first."""
    evidence: Mapping[str, float] = field(default_factory=dict)
    """Part → -ln of the weight of all explanations in which it did not change."""
    reason: str = ""
    """Why the parts are not known; empty if they are."""

    assumptions = ASSUMPTIONS

    @property
    def text(self) -> str:
        """The total and its parts in one line, largest part first."""
        if self.reason:
            return f"{self.metric} not split: {self.reason}"
        parts = sorted(self.parts, key=lambda p: -abs(p.value))
        return (
            f"mean {self.metric} {self.mean_before:.4g} → {self.mean_after:.4g}, {self.total.words}: "
            + ", ".join(p.words for p in parts)
            + f"; {self.overlap:.0%} of the rows have their like in the other period"
        )

    def findings(self, partition_key: str) -> list[Finding]:
        """The total and each part as rows of `findings`; nothing if the parts are not known.

        A part's evidence is -ln of the weight of all explanations in which it did not change.
        """
        if self.reason:
            return []
        return [
            Finding(
                partition_key, "drop_split", p.name, text, p.value, p.low, p.high,
                self.evidence.get(p.name, float("nan")),
            )
            for p, text in [(self.total, self.text), *((p, p.words) for p in self.parts)]
        ]  # fmt: skip
