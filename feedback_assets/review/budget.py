"""How many questions a batch has, and how many of them are asked twice or have a known answer."""

from feedback_assets.config.review import Review

ROUNDING = 1e-9


def questions(review: Review, fresh: int, candidates: int) -> int:
    """Questions of a day's batch: never more than the budget, nor than the share of new rows.

    Args:
        review: `per_day` and `max_share` are read.
        fresh: rows that came since the last batch that asked something.
        candidates: rows that could be asked about.
    """
    share = int(review.max_share * min(fresh, candidates) + ROUNDING)
    return min(review.per_day, share, candidates)


def part(share: float, whole: int, lot: float) -> int:
    """A share of a number of questions as a whole number, its expectation exact.

    Args:
        share: 0 to 1.
        whole: questions.
        lot: a number drawn evenly from [0, 1), which decides the fraction.

    >>> part(0.1, 25, 0.4), part(0.1, 25, 0.6)
    (2, 3)
    """
    return min(whole, int(share * whole + lot + ROUNDING))
