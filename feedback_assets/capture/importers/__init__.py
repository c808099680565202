"""Logs that other platforms wrote, as rows in the tables' own columns."""
