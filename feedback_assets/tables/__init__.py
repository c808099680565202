"""Delta tables written and read by DuckDB: replace a partition, read a pinned version."""
