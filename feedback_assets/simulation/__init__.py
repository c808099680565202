"""Labelled histories, and their replay as production."""
