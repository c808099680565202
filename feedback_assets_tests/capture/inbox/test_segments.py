from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from feedback_assets.capture.inbox.records import SEGMENT_ROWS
from feedback_assets.capture.inbox.segments import Closed, Open, grow

NEAR = st.integers(0, 3).flatmap(lambda s: st.integers(-3, 3).map(lambda d: s * SEGMENT_ROWS + d))


@given(
    rows=st.lists(st.tuples(NEAR.filter(lambda n: n > 0), st.integers(1, 3)), max_size=20),
    cuts=st.lists(st.integers(0, 20), max_size=3),
)
def test_segments_are_closed_with_their_last_rows(rows, cuts):
    rows = sorted(dict(rows).items())
    now, closed = Open(), []
    bounds = [0, *sorted(cuts), len(rows)]
    for start, end in pairwise(bounds):
        now, more = grow(now, rows[start:end])
        closed += more
    last = {(seq // SEGMENT_ROWS, channel): seq for seq, channel in rows}
    newest = rows[-1][0] // SEGMENT_ROWS if rows else 0
    assert {(c.segment, c.channel): c.last for c in closed} == {
        at: seq for at, seq in last.items() if at[0] < newest
    }
    assert len(closed) == len(set(closed))
    assert now == Open(newest, {ch: seq for (s, ch), seq in last.items() if s == newest})


def test_a_row_on_the_border_opens_the_next_segment():
    now, closed = grow(Open(0, {1: 5}), [(SEGMENT_ROWS - 1, 1), (SEGMENT_ROWS, 2)])
    assert closed == [Closed(0, 1, SEGMENT_ROWS - 1)]
    assert now == Open(1, {2: SEGMENT_ROWS})
