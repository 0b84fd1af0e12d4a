"""Who runs a command, for logs and for the author of a catalog."""

import getpass
import os
import socket


def actor() -> str:
    """Return OUTLAY_ACTOR, else the user and the host."""
    if named := os.environ.get("OUTLAY_ACTOR"):
        return named
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return f"uid {os.getuid()}@{socket.gethostname()}"
