"""API keys: `out_live_<id>_<secret>`. Only the SHA-256 of a secret is stored, and compared in constant time."""

import fcntl
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

import msgspec
from msgspec import structs

from outlay_kit.audit import AuditError, AuditLog
from outlay_kit.clock import Clock, SystemClock
from outlay_kit.private_files import write_private

Scope = Literal["ingest", "read", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_KEY = re.compile(r"out_live_([a-z0-9]{12})_([A-Za-z0-9]{32})\Z")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_UNKNOWN = hashlib.sha256(b"").hexdigest()


class Limits(msgspec.Struct, frozen=True):
    """Limits of a key. 0: no limit."""

    requests_per_minute: int = 0
    events_per_minute: int = 0
    events_per_day: int = 0
    events_per_month: int = 0


class ApiKey(Limits, frozen=True, kw_only=True):
    """A key without its secret."""

    id: str
    tenant: str
    scopes: tuple[Scope, ...]
    secret_sha256: str
    created: datetime
    revoked: datetime | None = None
    name: str = ""
    expires: datetime | None = None
    """When it ends: after the grace period of a rotation."""
    rotated_from: str = ""
    """The first key of a chain of rotations; empty: this one."""

    @property
    def line(self) -> str:
        """The id that quotas count under: a rotation does not reset them."""
        return self.rotated_from or self.id

    def opens(self, now: datetime) -> bool:
        """Whether it is in force."""
        return not self.revoked and (self.expires is None or now < self.expires)


_UNLIMITED = Limits()


class _File(msgspec.Struct):
    keys: list[ApiKey]


class KeyFileError(Exception):
    """The file of keys cannot be read or written."""


class KeyFile:
    """The keys of an installation, in one file that only its owner may read."""

    def __init__(self, path: Path, actor: str = "") -> None:
        """`actor`: who makes and revokes keys, for the log beside the file."""
        self._path = path
        self._actor = actor or "outlay"
        self.audit = AuditLog(path.with_suffix(".audit.ndjson"))

    def all(self) -> list[ApiKey]:
        """Return every key, revoked ones too. Raises KeyFileError if the file is damaged."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_File).keys
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise KeyFileError(f"{self._path} cannot be read as a file of keys: {error}") from error

    def create(
        self,
        tenant: str,
        scopes: tuple[Scope, ...],
        now: datetime,
        name: str = "",
        limits: Limits = _UNLIMITED,
    ) -> str:
        """Create a key and return it with its secret, which is not stored. Raises KeyFileError."""
        if not 0 < len(tenant) <= 256:
            raise KeyFileError("a key belongs to a tenant; give its name, of 1 to 256 characters")
        for what, text in (("tenant", tenant), ("name", name)):
            if not text.isprintable():
                raise KeyFileError(
                    f"the {what} {text!r} has control characters; use printable characters only"
                )
        if unknown := set(scopes) - set(SCOPES):
            raise KeyFileError(
                f"unknown scope {', '.join(sorted(unknown))}; the scopes are {', '.join(SCOPES)}"
            )
        key_id, digest, whole = _secret()
        key = ApiKey(
            id=key_id, tenant=tenant, scopes=scopes, secret_sha256=digest, created=now, name=name,
            **structs.asdict(limits),
        )  # fmt: skip
        with self._alone():
            keys = [*self.all(), key]
            self._log("keys.create", key, now)
            self._write(keys)
        return whole

    def revoke(self, key_id: str, now: datetime) -> bool:
        """Revoke a key; return False if the id is unknown or was revoked before."""
        with self._alone():
            keys = self.all()
            found = next((key for key in keys if key.id == key_id and not key.revoked), None)
            if found is None:
                return False
            self._log("keys.revoke", found, now)
            self._write([structs.replace(key, revoked=now) if key is found else key for key in keys])
        return True

    def rotate(self, key_id: str, now: datetime, grace: timedelta) -> str | None:
        """Create a successor with the same tenant, scopes and limits; the old key ends after `grace`. Return the new
        key with its secret, or None if the old key is not in force."""
        with self._alone():
            keys = self.all()
            old = next((key for key in keys if key.id == key_id and key.opens(now)), None)
            if old is None:
                return None
            key_id, digest, whole = _secret()
            new = structs.replace(
                old, id=key_id, secret_sha256=digest, created=now, expires=None, rotated_from=old.line
            )
            ends = min(now + grace, old.expires or now + grace)
            self._log("keys.rotate", old, now, successor=new.id, expires=ends.isoformat())
            self._write([*(structs.replace(key, expires=ends) if key is old else key for key in keys), new])
        return whole

    def _log(self, action: str, key: ApiKey, now: datetime, **more: str) -> None:
        """Log an action before it is done: without a log entry it is not done."""
        details = {"tenant": key.tenant, "scopes": list(key.scopes), "name": key.name, **more}
        try:
            self.audit.append(self._actor, action, key.id, details, now)
        except AuditError as error:
            raise KeyFileError(str(error)) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Lock the file against other processes: of two changes at once one would be lost."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise KeyFileError(f"{self._path} cannot be written: {error}") from error

    def _write(self, keys: list[ApiKey]) -> None:
        write_private(self._path, msgspec.json.format(msgspec.json.encode(_File(keys)), indent=1))


class KeyRing:
    """The keys as a service uses them: in memory, read again when the file changes."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._file = KeyFile(path)
        self._clock = clock or SystemClock()
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: dict[str, ApiKey] = {}
        self._ends: dict[str, datetime] = {}
        self.tenants = 0
        """Tenants that have a key to send events with, or had one that ended by itself."""
        self.refresh()

    def end(self, key_id: str, ends: datetime) -> None:
        """End a key at a time, whatever the file says; a later time never replaces an earlier one."""
        self._ends[key_id] = min(ends, self._ends.get(key_id, ends))

    def refresh(self) -> None:
        """Read the file again if it changed. Raises KeyFileError; the keys known before stay in force."""
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        except FileNotFoundError:
            seen = None
        except OSError as error:
            raise KeyFileError(f"{self._path} cannot be read: {error}") from error
        if seen != self._seen:
            self._keys = {key.id: key for key in self._file.all()}
            senders = {k.tenant for k in self._keys.values() if "ingest" in k.scopes and not k.revoked}
            self.tenants = len(senders)
            self._seen = seen

    def find(self, key_id: str) -> ApiKey | None:
        """Return the key of an id that was authenticated before, or None if it is not in force any more."""
        key = self._keys.get(key_id)
        return key if key and self._opens(key) else None

    def authenticate(self, presented: str) -> ApiKey | None:
        """Return the key of `presented`, or None: unknown, wrong, ended and revoked keys take the same time. The file
        is read first if it changed, so that a key works as soon as it is created."""
        with suppress(KeyFileError):  # `refresh` reports it; the keys known before stay in force
            self.refresh()
        match = _KEY.match(presented)
        key = self._keys.get(match[1]) if match else None
        secret = match[2] if match else ""
        known = key.secret_sha256 if key else _UNKNOWN
        right = hmac.compare_digest(_sha256(secret), known)
        return key if key and right and self._opens(key) else None

    def _opens(self, key: ApiKey) -> bool:
        now, ends = self._clock.now(), self._ends.get(key.id)
        return key.opens(now) and (ends is None or now < ends)


def _secret() -> tuple[str, str, str]:
    key_id = "".join(secrets.choice(_ALPHABET[26:]) for _ in range(12))
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(32))
    return key_id, _sha256(secret), f"out_live_{key_id}_{secret}"


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
