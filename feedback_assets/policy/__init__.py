"""Whether to train now: conditions over evidence, each with its value and what it still lacks."""
