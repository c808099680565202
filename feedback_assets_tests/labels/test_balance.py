from hypothesis import given
from hypothesis import strategies as st

from feedback_assets.labels.balance import automatic_limit, class_limit, share_limit

SIZES = st.lists(st.integers(1, 2_000), min_size=1, max_size=8)


def kept(sizes: list[int], limit: int | None) -> list[int]:
    return sizes if limit is None else [min(n, limit) for n in sizes]


@given(SIZES, st.floats(1, 10))
def test_no_class_outnumbers_the_rarest_by_more(sizes: list[int], ratio: float) -> None:
    left = kept(sizes, class_limit(sizes, ratio))
    assert max(left) <= ratio * min(left)
    assert min(left) == min(sizes)


@given(SIZES, st.floats(0.05, 1))
def test_no_value_has_a_larger_share(sizes: list[int], share: float) -> None:
    limit = share_limit(sizes, share)
    left = kept(sizes, limit)
    if share * len(sizes) > 1:
        assert max(left) <= share * sum(left) + 1
    else:
        assert len(set(left)) == 1 or limit is None
    if limit is not None and share * len(sizes) > 1 + 1e-9:
        # No more is taken out than is needed: one row more for each would be too many.
        more = [min(n, limit + 2) for n in sizes]
        assert max(more) > share * sum(more)


@given(st.integers(0, 1_000), st.integers(0, 1_000), st.floats(0, 1))
def test_automatic_labels_keep_to_their_share(automatic: int, others: int, share: float) -> None:
    limit = automatic_limit(automatic, others, share)
    left = automatic if limit is None else min(automatic, limit)
    assert left <= share * (left + others) + 1e-6 * (left + others)
