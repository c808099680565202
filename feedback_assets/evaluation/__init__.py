"""How good a candidate is, beside the champion, on the same rows: one suite of measurements."""
