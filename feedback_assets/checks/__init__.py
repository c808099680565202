"""Contracts that block, and signals that warn."""
