"""One file per decision: what starts a run, and why."""
