"""Which model answers a request, and how."""
