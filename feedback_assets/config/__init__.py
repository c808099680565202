"""One YAML file per loop: its typed shape, its loading, and the inference of a first draft."""
