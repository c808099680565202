"""Which days belong together as one incident."""

from collections.abc import Set as AbstractSet
from itertools import groupby

import pandas as pd

TROUBLE = frozenset({"drift", "broken"})


def incidents(days: pd.DataFrame, sla: pd.DataFrame | None = None) -> list[list[str]]:
    """Stretches of consecutive judged days with drift, a broken column or a broken promise.

    Args:
        days: partition_key and status of each judged day, one reference.
        sla: rows of the `sla` table, if there are promises.

    Returns:
        The partition keys of each incident, oldest first. A day on which nothing could be said
        neither ends an incident nor begins one: it belongs to it if trouble follows.

    >>> import pandas as pd
    >>> status = ["drift", "insufficient", "drift", "stable", "broken", "insufficient"]
    >>> incidents(pd.DataFrame({"partition_key": list("abcdef"), "status": status}))
    [['a', 'b', 'c'], ['e']]
    """
    broken = _broken(sla)
    judged = dict(zip(days["partition_key"], days["status"], strict=True))
    keys = sorted({*judged, *broken})
    known = [k for k in keys if k in broken or judged.get(k) != "insufficient"]
    troubled = {k for k in known if k in broken or judged.get(k) in TROUBLE}
    found = []
    for bad, run in groupby(known, key=lambda k: k in troubled):
        if bad:
            held = list(run)
            found.append([k for k in keys if held[0] <= k <= held[-1]])
    return found


def _broken(sla: pd.DataFrame | None) -> AbstractSet[str]:
    if sla is None or sla.empty:
        return frozenset()
    checks = zip(sla["partition_key"], sla["broken"].astype(object), strict=True)
    return {key for key, broken in checks if broken is True}
