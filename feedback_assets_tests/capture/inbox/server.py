"""A PostgreSQL server of Debian's packages on loopback, for as long as a test runs."""

import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


def binaries() -> Path | None:
    """The folder of the newest installed server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextmanager
def running() -> Iterator[str]:
    """The server's address; its data is gone afterwards. The server refuses to run as root."""
    folder = binaries()
    assert folder is not None
    data = Path(tempfile.mkdtemp(prefix="inbox-postgres-"))
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()
    who = {"user": user, "group": pwd.getpwnam(user).pw_gid} if os.geteuid() == 0 else {}
    if who:
        shutil.chown(data, user)
    try:
        subprocess.run(
            [folder / "initdb", "-D", data, "-A", "trust", "-U", "tester", "-E", "UTF8", "-N"],
            check=True, capture_output=True, cwd="/", **who,
        )  # fmt: skip
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = subprocess.Popen(
            [folder / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", ""],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **who,
        )  # fmt: skip
        try:
            url = f"postgresql://tester@127.0.0.1:{port}/postgres"
            _wait(url)
            yield url
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: nobody needs its data
            server.wait(30)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _wait(url: str) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return
