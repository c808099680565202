"""How a loop's partitions are cut in Dagster's terms."""

from pathlib import Path

import pytest

from feedback_assets.errors import ConfigError
from feedback_assets_tests.worlds import World


@pytest.mark.parametrize(
    ("grain", "first", "last", "count"),
    [
        ("hourly", "2024-01-01T00", "2024-02-01T23", 32 * 24),
        ("daily", "2024-01-01", "2024-02-01", 32),
        ("weekly", "2024-01-01", "2024-01-29", 5),
    ],
)
def test_a_history_that_is_over_ends_with_its_last_day(
    tmp_path: Path, grain: str, first: str, last: str, count: int
) -> None:
    world = World(tmp_path, partitions={"grain": grain, "end": "2024-02-01"})
    keys = world.space.partitions.get_partition_keys()
    assert (keys[0], keys[-1], len(keys)) == (first, last, count)


def test_an_end_before_the_start_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"partitions.end.* lies before"):
        World(tmp_path, partitions={"end": "2023-12-31"})
