"""Blocking checks: stored rows keep the contract of the loop's YAML file, counts add up."""

import dagster as dg

from feedback_assets.assets.contract import ContractState, inspect
from feedback_assets.assets.space import LoopSpace
from feedback_assets.checks.scope import partitions_in_scope
from feedback_assets.tables.connection import connect

CONTRACT = "contract"


def contract_check(space: LoopSpace, asset: str) -> dg.AssetChecksDefinition:
    """The blocking contract check of `prediction_log` or `feedback_events`."""

    @dg.asset_check(
        asset=space.key(asset),
        name=CONTRACT,
        blocking=True,
        description="Every stored row keeps the pandera schema made from the loop's YAML file, "
        "and few enough rows were refused.",
    )
    def _contract(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        keys = partitions_in_scope(context, space, asset)
        with connect(space.settings) as con:
            return check_result(inspect(space, con, asset, keys), keys)

    return _contract


def check_result(state: ContractState, keys: list[str]) -> dg.AssetCheckResult:
    """A contract's state as a check result, with the failing rows."""
    metadata: dict[str, dg.MetadataValue] = {
        "partitions": dg.MetadataValue.text(f"{keys[0]}..{keys[-1]}" if keys else "none"),
        "rows": dg.MetadataValue.int(state.rows),
        "quarantined": dg.MetadataValue.int(state.quarantined),
    }
    if state.failures:
        metadata["failing_rows"] = dg.MetadataValue.table(
            [dg.TableRecord(dict(failure)) for failure in state.failures]
        )
    return dg.AssetCheckResult(
        passed=state.holds,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(state.problems[:3]) or "every stored row keeps the contract",
        metadata=metadata,
    )
