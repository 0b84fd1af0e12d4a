"""The users of the server: a file with hashed passwords and limits."""

import hashlib
import hmac
import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

READER_LIMITS: Mapping[str, int] = {
    "max_execution_time": 120,
    "max_memory_usage": 768 * 2**20,
    "max_rows_to_read": 2_000_000_000,
    "max_result_rows": 5_000_000,
    "max_result_bytes": 2**30,
}
"""Settings of each query of a read-only user, so that the writer always has room; the query fails at a limit."""
BACKGROUND: Mapping[str, int] = {"max_threads": 1, "os_thread_priority": 10}
"""Settings of BI tools: less CPU than services and console pages get."""
READER_QUERIES = 3  # queries of a read-only user that run at once; more wait
_WRITER_QUERIES = 20


@dataclass(frozen=True)
class User:
    """A user of the server; a read-only one can neither write nor change settings."""

    name: str
    password_sha256: str
    readonly: bool
    at_once: int  # statements that run at once; more wait
    settings: Mapping[str, int]


def hash_password(password: str) -> str:
    """Return the SHA-256 of a password, hex. The passwords are random and long, so no salt is needed."""
    return hashlib.sha256(password.encode()).hexdigest()


class Users:
    """The users of one server."""

    def __init__(self, users: Mapping[str, User]) -> None:
        self._users = dict(users)

    @classmethod
    def from_file(cls, path: Path) -> "Users":
        """Read `{"name": {"password_sha256": "…", "readonly": true, "background": true}}`."""
        users = {}
        for name, found in json.loads(path.read_text("utf-8")).items():
            reader, background = found["readonly"], BACKGROUND if found.get("background", True) else {}
            limits = (READER_QUERIES, {**READER_LIMITS, **background}) if reader else (_WRITER_QUERIES, {})
            users[name] = User(name, found["password_sha256"], reader, *limits)
        return cls(users)

    def authenticate(self, name: str, password: str) -> User | None:
        """Return the user, or None if name or password are wrong, in the same time."""
        user = self._users.get(name)
        known = user.password_sha256 if user else "0" * 64
        if hmac.compare_digest(hash_password(password), known) and user:
            return user
        return None


def credentials(headers: Mapping[str, str], parameters: Mapping[str, str]) -> tuple[str, str]:
    """Return (user, password) as ClickHouse's clients send them: headers, Basic, or parameters."""
    if "x-clickhouse-user" in headers or "x-clickhouse-key" in headers:
        return headers.get("x-clickhouse-user", "default"), headers.get("x-clickhouse-key", "")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, password = b64decode(token, validate=True).decode().partition(":")
        except ValueError:
            return "", ""
        return name, password
    return parameters.get("user", "default"), parameters.get("password", "")
