"""Logs that other systems write, turned into rows that the tables take."""

import dagster as dg

from feedback_assets.assets.materialize import Metadata
from feedback_assets.assets.space import LoopSpace
from feedback_assets.capture.files import FileSource
from feedback_assets.capture.importers.landing import land_new
from feedback_assets.capture.importers.records import Landed
from feedback_assets.config.source import FileSource as Source
from feedback_assets.config.source import Side

DESCRIPTION = """The logs at the loop's sources ({formats}), read once each and paired.

Requests and responses may lie in different files and come late; a half that finds no other half
within the label horizon is refused. Records that are not understood go to quarantine with what was
expected. A record that is delivered twice counts once."""


def imported_logs(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, imported_logs]`, for loops whose sources are logs of other systems."""
    sides = {kind: source for kind, source in space.sources.items() if source.foreign}
    formats = ", ".join(f"{kind}: {source.format}" for kind, source in sides.items())

    @dg.asset(**space.attributes("imported_logs", DESCRIPTION.format(formats=formats), {"parquet"}))
    def _imported_logs(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        metadata: Metadata = {}
        rows = 0
        for kind, source in sides.items():
            landed = take(space, kind, source)
            context.log.info(f"{kind}: {landed}")
            metadata |= {f"{kind}_{name}": value for name, value in figures(landed).items()}
            rows += landed.rows
        metadata["dagster/row_count"] = rows
        metadata["folder"] = dg.MetadataValue.path(str(space.settings.landing / space.name))
        return dg.MaterializeResult(metadata=metadata)

    return _imported_logs


def take(space: LoopSpace, kind: Side, source: Source) -> Landed:
    """Import what is new of one side."""
    files = FileSource(source, space.settings).list()
    return land_new(space.config, space.settings, kind, files, source.format, source.map or None)


def figures(landed: Landed) -> Metadata:
    """What became of the records."""
    counts = (
        "files", "records", "rows", "refused", "unpaired", "paired_late", "expired", "repeated",
        "waiting",
    )  # fmt: skip
    found: Metadata = {name: getattr(landed, name) for name in counts}
    if landed.reasons:
        found["reasons"] = dg.MetadataValue.table(
            [dg.TableRecord({"reason": r, "records": n}) for r, n in landed.reasons.items()]
        )
    return found
