"""Runs executed in this process, for replays and backfills from the command line."""

from collections.abc import Mapping, Sequence

import dagster as dg

# What a failed run says is told by whoever asked for it; the whole log is in the instance.
RUN_CONFIG = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_in_process(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    assets: Sequence[dg.AssetKey],
    tags: Mapping[str, str],
) -> dg.ExecuteInProcessResult:
    """Execute one run; its failure is in the result.

    Raises:
        KeyboardInterrupt: The run was interrupted. Dagster takes Ctrl-C and a request to terminate
            for itself and would let what comes after the run go on.
    """
    result = job.execute_in_process(
        instance=instance,
        asset_selection=list(assets),
        run_config=RUN_CONFIG,
        tags=dict(tags),
        raise_on_error=False,
    )
    if any("Interrupt" in name for name in _failures(result)):
        raise KeyboardInterrupt
    return result


def first_problem(result: dg.ExecuteInProcessResult) -> str:
    """What the first failed step of a run said, in its own words."""
    return next(iter(_failures(result).values()), "see its log")


def _failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Class and message of each failed step's first cause."""
    found: dict[str, str] = {}
    for event in result.filter_events(lambda event: event.is_step_failure):
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None:
            found.setdefault(str(error.cls_name), error.message.strip())
    return found
