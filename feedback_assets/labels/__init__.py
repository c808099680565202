"""When labels arrive, and which labelled rows may be trained on."""
