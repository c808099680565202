"""The socket that the service listens on."""

import errno
import ipaddress
import socket
from typing import Any

from feedback_assets.errors import DoorError

BACKLOG = 2_048


def is_loopback(host: str) -> bool:
    """Whether a host is reached from this machine only.

    Raises:
        DoorError: There is no such host.
    """
    return all(
        ipaddress.ip_address(address[0].partition("%")[0]).is_loopback
        for *_, address in _found(host, 0)
    )


def bound(host: str, port: int) -> socket.socket:
    """Listen; clients that come before the service is ready wait instead of being refused.

    Raises:
        DoorError: The port is taken or not allowed, or the host is not this machine's.
    """
    family, kind, protocol, _name, address = _found(host, port)[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise DoorError(_why(host, port, error)) from error
    listening.setblocking(False)
    return listening


def _why(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} is taken (is another `feedback-assets serve` running?): "
            "choose another with --port"
        )
    if error.errno == errno.EACCES:
        return (
            f"port {port} needs more rights than this user has: choose one above 1023 with --port"
        )
    return f"--host {host}: this machine cannot listen there ({error.strerror})"


def _found(host: str, port: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise DoorError(f"--host {host}: no such host") from error
