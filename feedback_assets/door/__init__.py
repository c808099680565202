"""The HTTP service: strict at the door, durable before it answers."""
