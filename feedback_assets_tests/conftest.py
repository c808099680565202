"""Fixtures that several folders share; proofs tell their figures at the end of a run."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from feedback_assets_tests.live import Live


PROPERTY = "figures"
SERVED = ("daemon", "browser")
"""Folders whose tests share the served home."""


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Live]":
    """One served home for all tests that need one: a start costs half a minute of CPU."""
    from feedback_assets_tests.live import living  # Dagster is not for every test

    with living(tmp_path_factory.mktemp("live")) as served:
        yield served


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give the tests of a file to one worker: they share what their fixtures make."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "served" if file.split("/")[1] in SERVED else file

    return ByFile(config, log)


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Called as `figures("kill -9", rounds=200, lost=0)`: a line of the summary."""

    def tell(what: str, **counts: object) -> None:
        said = ", ".join(f"{name.replace('_', ' ')} {_text(n)}" for name, n in counts.items())
        record_property(PROPERTY, f"{what}: {said}")

    return tell


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the lines of all tests that ran."""
    lines = [
        str(said)
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for name, said in report.user_properties
        if name == PROPERTY
    ]
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)


def _text(number: object) -> str:
    return f"{number:,}" if isinstance(number, int) else str(number)
