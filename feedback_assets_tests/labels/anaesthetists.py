"""Forty-five patients rated by five anaesthetists: Table 1 of Dawid & Skene (1979).

The first one rated every patient three times, the others once.
"""

from collections.abc import Iterator

RATINGS = (
    "111 1 1 1 1;333 4 3 3 4;112 2 1 2 2;222 3 1 2 1;222 3 2 2 2;222 3 3 2 2;122 2 1 1 1;"
    "333 3 4 3 3;222 2 2 2 3;232 2 2 2 3;444 4 4 4 4;222 3 3 4 3;111 1 1 1 1;222 3 2 1 2;"
    "121 1 1 1 1;111 2 1 1 1;111 1 1 1 1;111 1 1 1 1;222 2 2 2 1;222 1 3 2 2;222 2 2 2 2;"
    "222 2 2 2 1;222 3 2 2 2;221 2 2 2 2;111 1 1 1 1;111 1 1 1 1;232 2 2 2 2;111 1 1 1 1;"
    "111 1 1 1 1;112 1 1 2 1;111 1 1 1 1;333 3 2 3 3;111 1 1 1 1;222 2 2 2 2;222 3 2 3 2;"
    "433 4 3 4 3;221 2 2 3 2;232 3 2 3 3;333 3 4 3 2;111 1 1 1 1;111 1 1 1 1;121 2 1 1 1;"
    "232 2 2 2 2;121 1 1 1 1;222 2 2 2 2"
)


def answers(repeats: bool = True) -> Iterator[tuple[int, str, str]]:
    """Patient, anaesthetist, rating; without repeats only the first one's first rating."""
    for patient, row in enumerate(RATINGS.split(";"), 1):
        first, *others = row.split()
        for rating in first if repeats else first[:1]:
            yield patient, "1", rating
        for number, rating in enumerate(others, 2):
            yield patient, str(number), rating
