"""Dagster data assets that keep machine-learning models right in production."""

__version__ = "0.1.0"
