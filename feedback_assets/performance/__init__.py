"""How good a model's answers were, once the truth is known."""
