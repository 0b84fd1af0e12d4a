"""The project's own front over chDB, with the users that the variables of the stock image name."""

import hashlib
import json
import os
import sys
from pathlib import Path

from outlay.embedded.chdb_server import __main__ as server

DATA = Path("/var/lib/clickhouse")
USERS = {
    "outlay": ("CLICKHOUSE_PASSWORD", False),
    "reader": ("OUTLAY_READER_PASSWORD", True),
    "console": ("OUTLAY_CONSOLE_WRITER_PASSWORD", False),
}


def main() -> None:
    found = {
        name: {
            "password_sha256": hashlib.sha256(os.environ[variable].encode()).hexdigest(),
            "readonly": readonly,
        }
        for name, (variable, readonly) in USERS.items()
    }
    (DATA / "users.json").write_text(json.dumps(found))
    sys.argv = [
        "front",
        "--data",
        str(DATA / "chdb"),
        "--users",
        str(DATA / "users.json"),
        "--host",
        "0.0.0.0",  # noqa: S104 (inside a container of the test)
        "--port",
        "8123",
    ]
    server.main()


if __name__ == "__main__":
    main()
