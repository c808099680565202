"""Champion and candidate examined on the same fresh rows: one suite, one digest."""
