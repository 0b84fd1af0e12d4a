"""Sessions: a signed cookie that names an API key. Each request reads the key's tenant from the key file."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeGuard

import msgspec
from itsdangerous import BadSignature, Signer

from outlay_kit.keys import ApiKey, KeyRing
from outlay_kit.private_files import write_private

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """Whose costs may be seen. Nothing else of a request says whose."""

    tenant: str
    key_id: str
    name: str = ""
    """What people called the key."""
    admin: bool = False
    """Whether the key may do things, too."""

    @property
    def who(self) -> str:
        """Who it is, as others read it."""
        return self.name or f"key {self.key_id}"


class _Cookie(msgspec.Struct):
    key: str
    until: datetime


class Sessions:
    """Makes and reads session cookies."""

    def __init__(self, keys: KeyRing, secret: bytes, hours: float) -> None:
        self._keys = keys
        self._signer = Signer(secret, salt=b"outlay.console.session", digest_method=hashlib.sha256)
        self._length = timedelta(hours=hours)

    def open(self, presented: str, now: datetime) -> str | None:
        """Return a cookie for a key with scope `read`; None if it is not one."""
        key = self._keys.authenticate(presented)
        if not may_read(key):
            return None
        cookie = _Cookie(key.id, now + self._length)
        return self._signer.sign(msgspec.json.encode(cookie).hex()).decode()

    def of_key(self, presented: str) -> Session | None:
        """Return the session of a program that shows its key at each request; None if the key may not read."""
        key = self._keys.authenticate(presented)
        return Session(key.tenant, key.id) if may_read(key) else None

    def read(self, cookie: str, now: datetime) -> Session | None:
        """Return the session of a cookie: signed by us, not over, its key neither revoked nor without `read`."""
        try:
            found = msgspec.json.decode(bytes.fromhex(self._signer.unsign(cookie).decode()), type=_Cookie)
        except (BadSignature, ValueError):
            return None
        key = self._keys.find(found.key)
        if now >= found.until or not may_read(key):
            return None
        return Session(key.tenant, key.id, key.name, "admin" in key.scopes)


def read_secret(path: Path | None) -> bytes:
    """Return the secret in `path`, made if the file is missing or empty, as a killed process may leave it: with an
    empty secret anyone could sign a cookie. Without a path, a new one. Raises OSError; ValueError for a short one."""
    if path is None:
        return secrets.token_bytes(_SECRET_BYTES)
    found = path.read_bytes() if path.exists() else b""
    if not found.strip():
        found = secrets.token_hex(_SECRET_BYTES).encode()
        write_private(path, found)
    if len(found) < _SECRET_BYTES:
        raise ValueError(
            f"{path} signs sessions and has {len(found)} bytes; give it {_SECRET_BYTES}: openssl rand -hex 32"
        )
    return found


def may_read(key: ApiKey | None) -> TypeGuard[ApiKey]:
    """Tell whether a key that is in force opens the console."""
    return key is not None and "read" in key.scopes
