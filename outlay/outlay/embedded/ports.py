"""Ports on loopback: free ones, and who has the others."""

import socket

import psutil

from outlay.embedded.errors import PortTakenError


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Tell whether a server could listen on `port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def require_free(port: int, purpose: str, variable: str) -> None:
    """Raise PortTakenError, naming who has it, if `port` is taken."""
    if is_free(port):
        return
    raise PortTakenError(
        f"port {port}, meant for {purpose}, is taken by {owner(port)}",
        f"stop that process, choose another port ({variable}=PORT), or let free ports be chosen: --ports auto",
    )


def owner(port: int) -> str:
    """Name the process that listens on `port`, as far as this user may see it."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                process = psutil.Process(connection.pid)
                return f"{process.name()} (pid {connection.pid})"
    except (psutil.Error, OSError):
        pass
    return "another process"
