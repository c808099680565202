"""The assets of a loop: each reads tables, calls the domain, writes tables, attaches metadata."""
