"""Ports on loopback: the usual ones, free ones, and who has the others."""

import os
import socket
from collections.abc import Mapping

import psutil

from outlay.embedded.errors import PortTakenError

LISTENERS = {
    "kafka": ("Kafka", "OUTLAY_PORT_KAFKA", "9092"),
    "controller": ("Kafka's controller", "OUTLAY_PORT_KAFKA_CONTROLLER", "9093"),
    "clickhouse": ("ClickHouse", "OUTLAY_PORT_CLICKHOUSE", "8123"),
    "ingest": ("ingest", "OUTLAY_PORT_INGEST", "8080"),
    "console": ("console", "OUTLAY_PORT_CONSOLE", "8088"),
    "alerter": ("the alerter", "OUTLAY_PORT_ALERTER", "8089"),
}
"""For each listener: its name for people, the variable that names another port, and its usual port."""


def usual_ports() -> dict[str, int]:
    """Return the port of each listener: the usual one, or the one that the environment names."""
    return {name: int(os.environ.get(variable, port)) for name, (_, variable, port) in LISTENERS.items()}


def free_ports() -> dict[str, int]:
    """Return a free port for each listener."""
    return {name: free_port() for name in LISTENERS}


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Tell whether a server could listen on `port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def require_free(ports: Mapping[str, int]) -> None:
    """Raise PortTakenError, naming who has it, for the first port that is taken."""
    for name, port in ports.items():
        purpose, variable, _ = LISTENERS[name]
        if not is_free(port):
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
