"""Whether a model treats protected groups alike."""
