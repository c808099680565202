"""Answers about decisions, months later: why, why not, from which rows, and again."""
