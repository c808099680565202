"""The door seen from outside: real sockets, real clients, hostile payloads."""
