"""Sessions: a signed cookie that names an API key, or a person and the conditions of grants that they met at the login.

Each request reads the rights again: of a key from the key file, of a person from the grants in force.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeGuard

import msgspec
from itsdangerous import BadSignature, Signer
from msgspec import structs

from outlay_console.domain.roles import Grant, Role, covers, held, memberships
from outlay_kit.keys import ApiKey, KeyRing
from outlay_kit.private_files import write_private

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """Who is asking, and what they may see and do. Nothing else of a request says so."""

    tenant: str
    actor: str
    """Who it is, unchangeable and unique: the author of changes, and the actor of the audit log."""
    name: str = ""
    """What people call it: the name of the key or of the person."""
    role: Role = "viewer"
    teams: tuple[str, ...] = ()
    """The teams that it sees; empty: the whole tenant."""
    tenants: tuple[str, ...] = ()
    """The tenants of the person, between which they may switch; empty for a key."""
    person: bool = False
    """Whether the identity provider vouched for it; otherwise it is a key."""

    @property
    def who(self) -> str:
        """Who it is, as others read it."""
        return self.name or self.actor

    def may(self, least: Role) -> bool:
        """Tell whether it may do what a role may."""
        return covers(self.role, least)


class _Person(msgspec.Struct, frozen=True):
    subject: str
    name: str
    met: list[tuple[str, str]]
    """The conditions of grants that they met."""
    tenant: str


class _Cookie(msgspec.Struct, frozen=True):
    key: str
    until: datetime
    person: _Person | None = None


class Sessions:
    """Makes and reads session cookies."""

    def __init__(self, keys: KeyRing, secret: bytes, hours: float, grants: Sequence[Grant] = ()) -> None:
        """`grants`: what people may do."""
        self._keys, self._grants = keys, grants
        self._secret = secret
        self._signer = self.signer("session")
        self._length = timedelta(hours=hours)

    def signer(self, purpose: str) -> Signer:
        """Return what signs cookies of one purpose: none is taken for another's."""
        salt = f"outlay.console.{purpose}".encode()
        return Signer(self._secret, salt=salt, digest_method=hashlib.sha256)

    def open(self, presented: str, now: datetime) -> str | None:
        """Return a cookie for a key with scope `read`; None if it is not one."""
        key = self._keys.authenticate(presented)
        if not may_read(key):
            return None
        return self._sign(_Cookie(key.id, now + self._length))

    def open_person(self, claims: Mapping[str, object], now: datetime) -> str | None:
        """Return a cookie for a person with verified claims; None if no grant is for them."""
        met = held(self._grants, claims)
        tenant = next(iter(memberships(self._grants, met)), None)
        if tenant is None:
            return None
        person = _Person(str(claims["sub"]), _name(claims), met, tenant)
        return self._sign(_Cookie("", now + self._length, person))

    def switch(self, cookie: str, tenant: str, now: datetime) -> str | None:
        """Return the cookie of the same person, for as long, in another tenant of theirs; None if it is not theirs."""
        found, session = self._read(cookie), self.read(cookie, now)
        if found is None or found.person is None or session is None or tenant not in session.tenants:
            return None
        return self._sign(structs.replace(found, person=structs.replace(found.person, tenant=tenant)))

    def of_key(self, presented: str) -> Session | None:
        """Return the session of a program that shows its key at each request; None if the key may not read."""
        key = self._keys.authenticate(presented)
        return _of(key) if may_read(key) else None

    def read(self, cookie: str, now: datetime) -> Session | None:
        """Return the session of a cookie: signed by us, not over, and its key or person may still read."""
        found = self._read(cookie)
        if found is None or now >= found.until:
            return None
        if found.person is not None:
            return self._of_person(found.person)
        key = self._keys.find(found.key)
        return _of(key) if may_read(key) else None

    def _of_person(self, person: _Person) -> Session | None:
        tenants = memberships(self._grants, person.met)
        membership = tenants.get(person.tenant)
        if membership is None:
            return None
        name = person.name or person.subject
        actor = f"{name} ({person.subject})" if name != person.subject else name
        return Session(
            person.tenant, actor, name, membership.role, membership.teams, tuple(tenants), person=True
        )

    def _sign(self, cookie: _Cookie) -> str:
        return self._signer.sign(msgspec.json.encode(cookie).hex()).decode()

    def _read(self, cookie: str) -> _Cookie | None:
        try:
            return msgspec.json.decode(bytes.fromhex(self._signer.unsign(cookie).decode()), type=_Cookie)
        except (BadSignature, ValueError):
            return None


def _name(claims: Mapping[str, object]) -> str:
    """Return what people call a person: a verified address of mail, else the name that the provider has."""
    names = [claims.get("email") if claims.get("email_verified") is True else None]
    names += [claims.get("preferred_username"), claims.get("name")]
    known = (name.strip() for name in names if isinstance(name, str))
    return next((name for name in known if name.isprintable() and 0 < len(name) <= 128), "")


def _of(key: ApiKey) -> Session:
    """Return the session of a key: the scope `read` is a viewer, `admin` beside it an admin."""
    return Session(key.tenant, f"key {key.id}", key.name, "admin" if "admin" in key.scopes else "viewer")


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
