"""The decision ledger: append-only, chained, signed, verifiable by anyone."""
