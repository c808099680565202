"""MLflow as the place where people look: runs, versions, aliases. The ledger is the truth.

MLflow is used through dagster-mlflow's tracking, made only when a model is registered: its import
costs seconds, and as a resource it would leave its run RUNNING after every asset. Everything here
can be done again after a crash and changes nothing the second time.
"""

import fcntl
import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from feedback_assets.config.schema import Config
from feedback_assets.settings import Settings
from feedback_assets.training.fit import Trained
from feedback_assets.training.mlflow_run import IDENTITY_TAG, VERSION_TAGS, log_model, log_run

CHAMPION = "champion"
CANDIDATE = "candidate"
ALIASES = (CHAMPION, "canary", "shadow", "previous", CANDIDATE)
"""The registry's aliases."""
LEDGER_TAG = "ledger_head"

_ENVIRONMENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
_QUIET = ("alembic", "mlflow")


class RunContext(Protocol):
    """What is read of a Dagster asset's context."""

    @property
    def log(self) -> logging.Logger: ...  # noqa: D102

    @property
    def run(self) -> Any: ...  # noqa: D102


def register_candidate(
    settings: Settings,
    config: Config,
    context: RunContext,
    trained: Trained,
    manifest: Mapping[str, Any],
    plots: Mapping[str, bytes],
    files: Mapping[str, str],
) -> dict[str, Any]:
    """Log a training as one MLflow run and register its model with the alias `candidate`.

    A training whose `training_digest` has a version already (a crash came right after it) gets that
    version, and no second one.

    Args:
        settings: Where MLflow's database and artifacts are.
        config: The loop.
        context: The asset's context; its run id goes into the tags.
        trained: The model.
        manifest: What it was made from; needs `onnx_digest`, `training_digest`, `pool`, `metrics`.
        plots: PNG by name.
        files: Further text files by name.

    Returns:
        `version` (int), `mlflow_run_id`, `mlflow_model` (address), to be added to the manifest.

    Raises:
        TrainingError: MLflow refused; its run is then FAILED.
    """
    with registry_client(settings) as client:
        known = _version_of(client, config.name, manifest)
        if known is not None:
            client.set_registered_model_alias(config.name, CANDIDATE, str(known.version))
            return _registered(config, known)
        with _tracking(settings, config, context, client) as mlf:
            log_run(mlf, trained, manifest, plots, files)
            model = log_model(mlf, trained)
            made = _register(client, config, mlf.active_run().info.run_id, model, manifest)
        client.set_registered_model_alias(config.name, CANDIDATE, str(made.version))
        return _registered(config, made)


def project_decision(
    settings: Settings,
    config: Config,
    manifest: Mapping[str, Any],
    decision: Any,
    files: Mapping[str, str],
) -> None:
    """Show a decision of the ledger with its version, however often; aliases are `project_stages`'.

    Args:
        settings: Where MLflow's database is.
        config: The loop.
        manifest: The judged candidate's, with `version` and `mlflow_run_id`.
        decision: A `promotion.decisions.Decision`.
        files: Text files kept with the candidate's run, under `decision/`.
    """
    version = str(manifest["version"])
    with registry_client(settings) as client:
        told = {
            "decision": decision.kind,
            "decision_id": decision.decision_id,
            "decided_at": decision.time.isoformat(),
            "rule": decision.rule,
            "reason": decision.reason,
        }
        for name, value in told.items():
            client.set_model_version_tag(config.name, version, name, value)
        for name, text in files.items():
            client.log_text(manifest["mlflow_run_id"], text, f"decision/{name}")


def keep_files(settings: Settings, run_id: str, files: Mapping[str, str]) -> None:
    """Keep text files with a candidate's run, under `evaluation/`."""
    with registry_client(settings) as client:
        for name, text in files.items():
            client.log_text(run_id, text, f"evaluation/{name}")


def keep_head(settings: Settings, loop: str, version: int, head: str) -> None:
    """Keep a signed head of the ledger as a tag of a version and of the model: a witness."""
    if not head:
        return
    with registry_client(settings) as client:
        client.set_model_version_tag(loop, str(version), LEDGER_TAG, head)
        client.set_registered_model_tag(loop, LEDGER_TAG, head)


def ledger_heads(settings: Settings, loop: str) -> list[str]:
    """Every signed head of the ledger that the registry has kept; empty where it knows none."""
    from mlflow.exceptions import MlflowException

    with registry_client(settings) as client:
        try:
            tags = [client.get_registered_model(loop).tags]
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return []
        tags += [version.tags for version in client.search_model_versions(f"name='{loop}'")]
    return sorted({found[LEDGER_TAG] for found in tags if LEDGER_TAG in found})


def aliases(settings: Settings, loop: str) -> dict[str, int]:
    """Alias to version, as the registry has them; empty for a model that it does not know."""
    with registry_client(settings) as client:
        return aliases_of(client, loop)


def aliases_of(client: Any, loop: str) -> dict[str, int]:
    """As `aliases`, by a client; asked one by one, because a search may leave aliases out."""
    found = {name: _by_alias(client, loop, name) for name in ALIASES}
    return {name: version for name, version in found.items() if version is not None}


def forget_model(settings: Settings, loop: str) -> None:
    """Remove a loop's registered model, its runs and their artifacts: only for replays."""
    if not (settings.mlflow / "mlflow.db").exists():
        return
    from mlflow.exceptions import MlflowException

    with registry_client(settings) as client:
        try:
            client.delete_registered_model(loop)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
        experiment = client.get_experiment_by_name(loop)
        while experiment and (runs := client.search_runs([experiment.experiment_id])):
            for run in runs:
                client.delete_run(run.info.run_id)
    shutil.rmtree(_artifacts(settings, loop), ignore_errors=True)


def _artifacts(settings: Settings, loop: str) -> Path:
    return settings.mlflow / "artifacts" / loop


@contextmanager
def registry_client(settings: Settings) -> Iterator[Any]:
    """A client on our database; one process at a time makes or migrates it."""
    os.environ.update(_ENVIRONMENT)
    settings.mlflow.mkdir(parents=True, exist_ok=True)
    with (settings.mlflow / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        import mlflow

        for name in _QUIET:
            logging.getLogger(name).setLevel(logging.WARNING)
        mlflow.set_tracking_uri(settings.mlflow_uri)
        mlflow.set_registry_uri(settings.mlflow_uri)
        client = mlflow.MlflowClient()
        client.search_experiments(max_results=1)
    yield client


@contextmanager
def _tracking(
    settings: Settings, config: Config, context: RunContext, client: Any
) -> Iterator[Any]:
    """dagster-mlflow's tracking on a run of its own, which ends FINISHED, FAILED or KILLED."""
    run = client.create_run(
        _experiment(settings, config.name, client),
        run_name=f"{config.name} {context.run.run_id[:8]}",
        tags={"loop": config.name, "owners": ", ".join(config.owners)},
    )
    ended = "FAILED"
    try:
        yield _dagster_mlflow(settings, config, context, run.info.run_id)
        ended = "FINISHED"
    except KeyboardInterrupt:
        ended = "KILLED"
        raise
    finally:
        _end(client, run.info.run_id, ended)


def _end(client: Any, run_id: str, status: str) -> None:
    import mlflow

    if mlflow.active_run() is not None:
        mlflow.end_run(status)
    client.set_terminated(run_id, status)


def _dagster_mlflow(settings: Settings, config: Config, context: RunContext, run_id: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # beta, and a legacy resource: the one that there is
        from dagster_mlflow.resources import MlFlow

        given = {
            "experiment_name": config.name,
            "mlflow_tracking_uri": settings.mlflow_uri,
            "mlflow_run_id": run_id,
        }
        return MlFlow(
            SimpleNamespace(
                log=context.log,
                run_id=context.run.run_id,
                dagster_run=SimpleNamespace(job_name=config.name),
                resource_config=given,
            )
        )


def _experiment(settings: Settings, loop: str, client: Any) -> str:
    from mlflow.exceptions import MlflowException

    place = _artifacts(settings, loop).resolve().as_uri()
    found = client.get_experiment_by_name(loop)
    if found is None:
        try:
            return str(client.create_experiment(loop, artifact_location=place))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(loop)
    return str(found.experiment_id)


def _register(
    client: Any, config: Config, run_id: str, model: Any, manifest: Mapping[str, Any]
) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(config.name, description=config.description or config.title)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {name: str(manifest.get(name) or "") for name in VERSION_TAGS} | {"stage": CANDIDATE}
    return client.create_model_version(
        config.name,
        source=model.model_uri,
        run_id=run_id,
        model_id=model.model_id,
        tags=tags,
        description=f"Trained because of {manifest.get('cause')}.",
    )


def _version_of(client: Any, loop: str, manifest: Mapping[str, Any]) -> Any | None:
    """A version with the same identity and the same file."""
    quoted = str(manifest[IDENTITY_TAG]).replace("'", "")
    found = client.search_model_versions(f"name='{loop}' and tags.{IDENTITY_TAG}='{quoted}'")
    same = [v for v in found if v.tags.get("onnx_digest") == manifest["onnx_digest"]]
    return min(same, key=lambda version: int(version.version)) if same else None


def _registered(config: Config, version: Any) -> dict[str, Any]:
    return {
        "version": int(version.version),
        "mlflow_run_id": version.run_id,
        "mlflow_model": f"models:/{config.name}/{version.version}",
    }


def _by_alias(client: Any, loop: str, alias: str) -> int | None:
    from mlflow.exceptions import MlflowException

    try:
        return int(client.get_model_version_by_alias(loop, alias).version)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        return None
