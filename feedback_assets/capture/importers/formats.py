"""The formats by name."""

from collections.abc import Mapping
from types import MappingProxyType

from feedback_assets.capture.importers import (
    azureml,
    bentoml,
    databricks,
    kserve,
    sagemaker,
    seldon,
    vertex,
)
from feedback_assets.capture.importers.format import Format

GENERIC = Format(
    name="generic",
    title="Parquet, CSV or JSON lines, one row each, with a column map",
    needs="the loop's columns, or others that the column map names",
    tabular=True,
)
_ALL = (
    GENERIC, sagemaker.FORMAT, databricks.FORMAT, kserve.FORMAT, seldon.FORMAT, azureml.FORMAT,
    vertex.FORMAT, bentoml.FORMAT,
)  # fmt: skip
FORMATS: Mapping[str, Format] = MappingProxyType({form.name: form for form in _ALL})
"""Every format that `land_new` reads."""
