"""The pool that a version pinned, read again: which rows trained it, which judged it."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

import duckdb
from pydantic import ValidationError

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.training import CONFIG
from feedback_assets.assets.training_rows import broken_digests
from feedback_assets.audit.configs import config_by_digest
from feedback_assets.config.load import config_digest
from feedback_assets.config.schema import Config
from feedback_assets.errors import AuditError, TableError
from feedback_assets.labels.pool import training_sql
from feedback_assets.tables.table import Snapshot


@dataclass(frozen=True)
class Pinned:
    """One version's pool, exactly as its training read it."""

    space: LoopSpace
    model: ModelVersion

    @cached_property
    def config(self) -> Config:
        """The configuration of then: beside the model, else in the ledger, else now's, sampled as then.

        Raises:
            AuditError: This release does not understand the configuration of then.
        """
        try:
            kept = self.model.config()
        except ValidationError as error:
            raise AuditError(
                f"{self.model.folder / CONFIG} is of a release whose fields this one does not know; "
                f"ask with release {self.model.manifest.get('code_version')}: {error}"
            ) from error
        if kept is not None:
            return kept
        recorded = config_by_digest(
            decisions(self.space, "config"), self.model.manifest.get("config_digest")
        )
        if recorded is not None:
            return recorded
        now = self.space.config
        sampled = now.model.model_copy(update=self.model.manifest["sampling"])
        return now.model_copy(update={"model": sampled})

    @cached_property
    def config_digest(self) -> str:
        """Digest of the configuration of then as it was written: fields of later releases are not in it."""
        path = self.model.folder / CONFIG
        if not path.exists():
            return config_digest(self.config)
        written = json.loads(path.read_text("utf-8"))
        text = json.dumps(written, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def snapshot(self) -> Snapshot:
        """The pinned version of the labeled pool."""
        version = self.model.manifest["pool"]["version"]
        return self.space.table("labeled_pool").snapshot(version)

    @property
    def training(self) -> str:
        """SQL of the rows that trained it, in the order in which they were drawn."""
        return training_sql(self.config, self.snapshot.relation())

    def drawn_by_day(self, con: duckdb.DuckDBPyConnection) -> dict[str, int]:
        """Partition to the rows of it that trained the version; others of the pool gave none."""
        found = con.execute(
            f"SELECT partition_key, COUNT(*) FROM ({self.training}) GROUP BY 1 ORDER BY 1"
        ).fetchall()
        return {str(key): int(rows) for key, rows in found}

    def uses(self, con: duckdb.DuckDBPyConnection, ids: str, days: list[str]) -> dict[str, int]:
        """How a version used some rows.

        Args:
            con: A connection on which `ids` is known.
            ids: Name of a relation with a column `prediction_id`.
            days: Partitions in which these rows lie.

        Returns:
            `trained` and `held out` rows, and those `left over` by window or sampling.
        """
        held = [day for day in days if day in self.model.manifest["pool"]["partitions"]]
        if not held:
            return {}
        among = f"WHERE prediction_id IN (SELECT prediction_id FROM {ids})"
        splits = dict(
            con.execute(
                f"SELECT split, COUNT(*) FROM {self.snapshot.relation(held)} {among} GROUP BY split"
            ).fetchall()
        )
        trained = 0
        if splits.get("train"):
            ((trained,),) = con.execute(
                f"SELECT COUNT(*) FROM ({self.training}) {among}"
            ).fetchall()
        left = splits.get("train", 0) - trained
        counts = {"trained": trained, "held out": splits.get("holdout", 0), "left over": left}
        return {name: int(rows) for name, rows in counts.items() if rows}


def pinned_rows(space: LoopSpace, model: ModelVersion) -> tuple[list[str], str]:
    """Partitions of the pinned pool that changed, and why the pool cannot be read at all, if so."""
    try:
        return broken_digests(space, model), ""
    except (TableError, duckdb.Error) as error:
        return [], str(error)
