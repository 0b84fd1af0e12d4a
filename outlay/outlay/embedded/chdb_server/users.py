"""Who may ask: a file of users with hashed passwords, checked in constant time."""

import hashlib
import hmac
import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class User:
    """A user of the interface; a read-only one can neither write nor change settings."""

    name: str
    password_sha256: str
    readonly: bool


def hash_password(password: str) -> str:
    """Return the SHA-256 of a password, hex. The passwords are random and long, so no salt is needed."""
    return hashlib.sha256(password.encode()).hexdigest()


class Users:
    """The users of one interface."""

    def __init__(self, users: Mapping[str, User]) -> None:
        self._users = dict(users)

    @classmethod
    def from_file(cls, path: Path) -> "Users":
        """Read `{"name": {"password_sha256": "…", "readonly": false}}`."""
        found = json.loads(path.read_text("utf-8"))
        return cls({name: User(name, u["password_sha256"], bool(u["readonly"])) for name, u in found.items()})

    def authenticate(self, name: str, password: str) -> User | None:
        """Return the user, or None if name or password are wrong; both take the same time."""
        user = self._users.get(name)
        known = user.password_sha256 if user else "0" * 64
        if hmac.compare_digest(hash_password(password), known) and user:
            return user
        return None


def credentials(headers: Mapping[str, str], parameters: Mapping[str, str]) -> tuple[str, str]:
    """Return (user, password) as ClickHouse's clients give them: headers, Basic, or parameters."""
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
