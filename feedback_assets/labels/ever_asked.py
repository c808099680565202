"""The chance that a row was ever asked about and answered, from the one batch that asked it.

A row stands among the candidates of every batch from its prediction until it is too old to ask
about. Only the batch that drew it tells its chance; in the others it had the same chance beside
their mean chance, as far as one can tell. Without this, old rows, which stood in many batches,
would count many times.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def ever_answered(
    chance: Floats,
    batch: npt.NDArray[np.int64],
    answered: npt.NDArray[np.bool_],
    event: Floats,
    opened: Floats,
    closed: Floats,
) -> Floats:
    """Chance of each answered row to have been asked in any batch, and then answered [answered].

    Args:
        chance: Of each question to have come into its batch, above 0 [n].
        batch: Position of its batch [n], 0 to b - 1 in the order of time.
        answered: Whether people labelled it [n]; within a batch it is by chance who is reached.
        event: When its prediction was made, in any unit [n].
        opened: Each batch asked about predictions made after this [b].
        closed: And no later than this [b].

    Returns:
        One chance for each true value of `answered`, in their order, above 0.

    Examples:
        Ten of 100 rows asked today and, of 90 left, ten tomorrow: a row of both days had two tries.

        >>> p, day = np.repeat([0.1, 1 / 9], 10), np.repeat([0, 1], 10)
        >>> whole, old = np.ones(20, bool), np.zeros(20)
        >>> found = ever_answered(p, day, whole, old, np.array([-9.0, -9.0]), np.array([0.0, 1.0]))
        >>> float(found.min().round(9)), float(found.max().round(9))
        (0.2, 0.2)
    """
    asked = np.bincount(batch, minlength=len(opened)).astype(np.float64)
    candidates = np.bincount(batch, 1 / chance, minlength=len(opened))
    done = np.bincount(batch, answered, minlength=len(opened)) / np.maximum(asked, 1)
    mean = asked / np.maximum(candidates, 1)
    mine, when = batch[answered], event[answered, None]
    liking = chance[answered] / mean[mine]
    stood = (opened < when) & (when <= closed)
    tries = np.minimum(liking[:, None] * mean, 1) * stood
    own = np.arange(len(mine))
    tries[own, mine] = chance[answered]
    left = np.cumprod(1 - tries, axis=1)
    before = np.column_stack([np.ones(len(mine)), left[:, :-1]])
    return np.asarray((tries * before) @ done)
