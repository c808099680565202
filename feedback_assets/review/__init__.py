"""Questions on their way to people and answers on their way back: the store and its routes."""
