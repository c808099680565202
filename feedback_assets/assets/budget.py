"""The evaluation rows as a budget: each candidate that they judge costs some of their trust."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.space import LoopSpace


@dataclass(frozen=True)
class Budget:
    """What evaluation rows have told already.

    Rows on which many candidates were compared are no longer fresh: the choice among the candidates
    has seen them (Dwork et al., Science 2015). So uses are counted and bounded.
    """

    limit: int
    """Candidates that a day's rows may judge (`evaluation.uses`)."""
    uses: dict[str, int]
    """Partition to candidates judged on its rows."""

    @property
    def spent(self) -> list[str]:
        """Partitions that may judge no more."""
        return sorted(day for day, count in self.uses.items() if count >= self.limit)

    def trust(self, days: Collection[str]) -> float:
        """What remains of the trust in some days together: 1 for fresh ones, 0 for spent ones."""
        if not days:
            return 0.0
        left = [max(0.0, 1 - self.uses.get(day, 0) / self.limit) for day in days]
        return sum(left) / len(left)


def budget(space: LoopSpace, besides: int | None = None) -> Budget:
    """How often each day's rows were used by a gate, by the ledger.

    Args:
        space: The loop.
        besides: A candidate that is not counted: the one that is judged now, perhaps again.
    """
    judged: defaultdict[str, set[str]] = defaultdict(set)
    for decision in decisions(space, "gate"):
        if decision.version != str(besides):
            for day in decision.details.get("evaluation", {}).get("days", {}):
                judged[day].add(str(decision.version))
    uses = {day: len(versions) for day, versions in sorted(judged.items())}
    return Budget(space.config.evaluation.uses, uses)
