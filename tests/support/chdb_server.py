"""The HTTP interface over chDB, and how to ask it."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clickhouse_connect
import httpx

from outlay.embedded.chdb_server.users import hash_password

WRITER = ("outlay", "the writer's word")


READER = ("reader", "the reader's word")


@dataclass(frozen=True)
class Server:
    """A running interface."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, user: tuple[str, str] = WRITER, **options: Any) -> Any:
        name, password = user
        return clickhouse_connect.get_client(
            host="127.0.0.1", port=self.port, username=name, password=password, **options
        )

    def ask(
        self, sql: str | bytes, user: tuple[str, str] = WRITER, method: str = "POST", **options: Any
    ) -> httpx.Response:
        return httpx.request(method, self.url, content=sql, auth=user, timeout=60, **options)

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/ping").text == "Ok.\n"
        except httpx.HTTPError:
            return False


def command(folder: Path, port: int, *options: str) -> list[str]:
    """Write the users and return the command of the interface over `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    users = {
        name: {"password_sha256": hash_password(password), "readonly": (name, password) == READER}
        for name, password in (WRITER, READER)
    }
    (folder / "users.json").write_text(json.dumps(users))
    server = [sys.executable, "-m", "outlay.embedded.chdb_server", "--data", str(folder / "chdb")]
    return [*server, "--users", str(folder / "users.json"), "--port", str(port), *options]
