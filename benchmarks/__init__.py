"""Figures that the README quotes, measured: `python -m benchmarks [name ...]`."""
